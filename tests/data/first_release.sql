-- A database as the first release left it: one chat, one subscription.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE chats (
	id INTEGER NOT NULL, 
	platform TEXT NOT NULL, 
	address TEXT NOT NULL, 
	title TEXT NOT NULL, 
	is_group BOOLEAN NOT NULL, 
	time TIME NOT NULL, 
	zone TEXT NOT NULL, 
	language TEXT NOT NULL, 
	cap INTEGER NOT NULL, 
	access TEXT NOT NULL, 
	inactive_because TEXT, 
	next_digest_at DATETIME, 
	last_digest_day DATE, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_chats PRIMARY KEY (id), 
	CONSTRAINT uq_chats_platform_address UNIQUE (platform, address)
);
INSERT INTO "chats" VALUES(1,'telegram','1001','Lab',0,'08:30:00.000000','Asia/Shanghai','both',12,'allowed',NULL,'2026-11-24 00:30:00.000000',NULL,'2026-11-23 08:00:00.000000');
CREATE TABLE digest_papers (
	chat_id INTEGER NOT NULL, 
	paper_id TEXT NOT NULL, 
	digest_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	held BOOLEAN NOT NULL, 
	CONSTRAINT pk_digest_papers PRIMARY KEY (chat_id, paper_id), 
	CONSTRAINT fk_digest_papers_chat_id_chats FOREIGN KEY(chat_id) REFERENCES chats (id) ON DELETE CASCADE, 
	CONSTRAINT fk_digest_papers_digest_id_digests FOREIGN KEY(digest_id) REFERENCES digests (id) ON DELETE CASCADE, 
	CONSTRAINT fk_digest_papers_paper_id_papers FOREIGN KEY(paper_id) REFERENCES papers (id) ON DELETE CASCADE
);
CREATE TABLE digests (
	id INTEGER NOT NULL, 
	chat_id INTEGER NOT NULL, 
	occasion TEXT NOT NULL, 
	local_day DATE NOT NULL, 
	composed_at DATETIME NOT NULL, 
	announced INTEGER NOT NULL, 
	matched INTEGER NOT NULL, 
	shown INTEGER NOT NULL, 
	held INTEGER NOT NULL, 
	CONSTRAINT pk_digests PRIMARY KEY (id), 
	CONSTRAINT fk_digests_chat_id_chats FOREIGN KEY(chat_id) REFERENCES chats (id) ON DELETE CASCADE
);
CREATE TABLE feeds (
	category TEXT NOT NULL, 
	next_poll_at DATETIME NOT NULL, 
	etag TEXT, 
	checksum TEXT, 
	built_at DATETIME, 
	entries INTEGER DEFAULT '0' NOT NULL, 
	new_at DATETIME, 
	read_at DATETIME, 
	failing_since DATETIME, 
	failures INTEGER DEFAULT '0' NOT NULL, 
	error TEXT, 
	CONSTRAINT pk_feeds PRIMARY KEY (category)
);
CREATE TABLE listings (
	paper_id TEXT NOT NULL, 
	category TEXT NOT NULL, 
	announce_type TEXT NOT NULL, 
	day DATE NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	is_sample BOOLEAN NOT NULL, 
	CONSTRAINT pk_listings PRIMARY KEY (paper_id, category, announce_type), 
	CONSTRAINT fk_listings_paper_id_papers FOREIGN KEY(paper_id) REFERENCES papers (id) ON DELETE CASCADE
);
CREATE TABLE marks (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_marks PRIMARY KEY (name)
);
CREATE TABLE messages (
	id INTEGER NOT NULL, 
	chat_id INTEGER NOT NULL, 
	digest_id INTEGER, 
	"key" TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	state TEXT NOT NULL, 
	not_before DATETIME NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	uncertain INTEGER DEFAULT '0' NOT NULL, 
	sending_at DATETIME, 
	sent_at DATETIME, 
	platform_message_id TEXT, 
	error TEXT, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_messages PRIMARY KEY (id), 
	CONSTRAINT fk_messages_chat_id_chats FOREIGN KEY(chat_id) REFERENCES chats (id) ON DELETE CASCADE, 
	CONSTRAINT fk_messages_digest_id_digests FOREIGN KEY(digest_id) REFERENCES digests (id) ON DELETE CASCADE, 
	CONSTRAINT uq_messages_key UNIQUE ("key")
);
CREATE TABLE operators (
	platform TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	chat_id INTEGER NOT NULL, 
	CONSTRAINT pk_operators PRIMARY KEY (platform, user_id), 
	CONSTRAINT fk_operators_chat_id_chats FOREIGN KEY(chat_id) REFERENCES chats (id) ON DELETE CASCADE
);
CREATE TABLE papers (
	id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	abstract TEXT NOT NULL, 
	authors JSON NOT NULL, 
	categories JSON NOT NULL, 
	licence TEXT, 
	comment TEXT, 
	withdrawn BOOLEAN NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_papers PRIMARY KEY (id)
);
CREATE TABLE subscriptions (
	id INTEGER NOT NULL, 
	chat_id INTEGER NOT NULL, 
	"query" TEXT NOT NULL, 
	since DATETIME NOT NULL, 
	CONSTRAINT pk_subscriptions PRIMARY KEY (id), 
	CONSTRAINT fk_subscriptions_chat_id_chats FOREIGN KEY(chat_id) REFERENCES chats (id) ON DELETE CASCADE, 
	CONSTRAINT uq_subscriptions_chat_id_query UNIQUE (chat_id, "query")
);
INSERT INTO "subscriptions" VALUES(1,1,'cs.CV+cs.CL -cs.RO','2026-11-23 08:00:00.000000');
CREATE TABLE summaries (
	paper_id TEXT NOT NULL, 
	paper_version INTEGER NOT NULL, 
	tldr TEXT NOT NULL, 
	tldr_zh TEXT, 
	title_zh TEXT, 
	abstract_zh TEXT, 
	takeaways JSON NOT NULL, 
	engine TEXT NOT NULL, 
	engine_version TEXT NOT NULL, 
	model TEXT, 
	written_at DATETIME NOT NULL, 
	CONSTRAINT pk_summaries PRIMARY KEY (paper_id, paper_version), 
	CONSTRAINT fk_summaries_paper_id_papers FOREIGN KEY(paper_id) REFERENCES papers (id) ON DELETE CASCADE
);
CREATE TABLE web_messages (
	id INTEGER NOT NULL, 
	chat_id INTEGER NOT NULL, 
	author TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	html TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_web_messages PRIMARY KEY (id), 
	CONSTRAINT fk_web_messages_chat_id_chats FOREIGN KEY(chat_id) REFERENCES chats (id) ON DELETE CASCADE, 
	CONSTRAINT uq_web_messages_key UNIQUE ("key")
);
CREATE INDEX ix_chats_next_digest_at ON chats (next_digest_at);
CREATE UNIQUE INDEX uq_digests_daily ON digests (chat_id, local_day) WHERE occasion = 'daily';
CREATE INDEX ix_listings_category_first_seen_at ON listings (category, first_seen_at);
CREATE INDEX ix_web_messages_chat_id_id ON web_messages (chat_id, id);
CREATE INDEX ix_digest_papers_digest_id ON digest_papers (digest_id);
CREATE INDEX ix_messages_pending ON messages (chat_id, id) WHERE state = 'pending';
CREATE INDEX ix_messages_sending ON messages (chat_id) WHERE state = 'sending';
CREATE INDEX ix_messages_sending_at ON messages (sending_at);
COMMIT;
