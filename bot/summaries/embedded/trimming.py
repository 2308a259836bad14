"""A sentence of an abstract, so that it stands alone: without what ties it to its neighbours, citations and asides."""

import re

_WORK = r"(?:paper|work|article|study|letter|thesis|note|report|survey|manuscript|chapter|review)"
_OWN = rf"(?:this|the present|our) (?:(?!previous|earlier|prior|recent|last|companion|other|first)\w+ )?{_WORK}"
# The main clause begins: what stands before it may go, whatever it is about.
_MAIN = (
    r"(?:we|this (?:paper|work|article|study)) (?:\w+ly |also |then |here |first |thus |therefore )?(?:propos|introduc|"
    r"present|develop|devis|design|describ|build|construct|offer|provid|formulat|explor|investigat|stud[iy]|analy|"
    r"examin|consider|address|tackl|revisit|show|demonstrat|prove\b|establish|find\b|report|deriv|argue|use\b|employ|"
    r"extend|suggest|obtain|compare|evaluate|measure|give\b|aim)"
)
_CONNECTIVES = (
    "here|moreover|furthermore|additionally|in addition|besides|however|but|therefore|thus|hence|consequently|"
    "accordingly|finally|lastly|specifically|in particular|notably|importantly|interestingly|remarkably|"
    "surprisingly|crucially|overall|also|then|next|first|firstly|second|secondly|third|thirdly|fourth|fifth|"
    "as a result|in this context|further|unfortunately|nevertheless|nonetheless|meanwhile|concretely|"
    "in summary|in conclusion|in short|indeed|in fact|to (?:this|that) end|towards? (?:this|that) (?:end|"
    "goal)|to address this|more precisely|more specifically|to the best of our knowledge|in (?:so doing|"
    "doing so)|as an application|as a consequence|as a byproduct|on the other hand|in contrast|by contrast|"
    "conversely|similarly|likewise|instead|alternatively|for example|for instance"
)
_LEAD_INS = (
    # "(ii) …", "1) …": an item of a list.
    r"\(?(?:\d{1,2}|[ivx]+|[a-h])\) ",
    rf"(?:in|with|through) {_OWN},? ",
    rf"(?:{_CONNECTIVES}), ",
    r"(?:here|thus|hence|therefore|also) (?=we\b)",
    # "To address these limitations, we …" points back; "To save energy, we …" says what for, and stays.
    r"(?:to|towards?|motivated by|inspired by|based on)\b(?: [^\s,$]+){0,6}? (?:this|these|those|such|former|"
    r"latter|above|aforementioned)\b[^,$]{0,60}, (?=(?:we|this) )",
    r"for (?:this|that|these)(?: (?:purpose|reason|end)s?)?, (?=(?:we|this) )",
    r"to (?:do so|(?:address|tackle|solve|resolve|overcome|fix|remedy|mitigate|answer) (?:it|them)), (?=(?:we|this) )",
    # What others do, or why: the news is behind the comma. A condition ("If n is odd, we …") stays.
    r"(?:while|although|though|even though|despite|unlike|whereas|since|because|rather than|instead of|in contrast to|"
    r"in contrast with|contrary to|different(?:ly)? from|compared (?:to|with)|in addition to|as an? |"
    rf"building (?:up)?on|motivated by|inspired by|drawing on)\b[^$]{{1,300}}?, (?:(?:here|in {_OWN}),? )?(?={_MAIN})",
)
_LEAD_IN = re.compile("|".join(_LEAD_INS), re.I)
# "As shown in [3]" needs its number, "as is known [3]" does not. The possessive `++` keeps a hostile row of years from
# being tried in every division.
_CITATION = re.compile(
    r"(?<![ ~])[ ~]*(?<! in )(?<! by )(?<! of )(?<! to )(?<! and )(?<! from )(?<! see )"
    r"(?:\\cite\w*(?:\[[^\]]*\])*\{[^}]*\}|\[\d+(?:[,;–-] ?\d+)*\]|"
    r"\((?:[A-Z][\w.&' -]{1,40},? (?:et al\.?,? )?(?:19|20)\d\d[a-z]?(?:; )?)++\))"
)
# Words in brackets explain; a number or a formula in them is a fact, and "if it exists" or "resp." limits the claim.
_ASIDE = re.compile(
    r" \((?!(?:not|non|possibly|resp|at|up|if|when|under|for|with|groups|of|in|on|over)\b)"
    r"[a-z][^()$\d\\]{0,200} [^()$\d\\]{1,200}\)"
)
_IN_THIS_PAPER = re.compile(rf"(,?) in (?:this|the present) {_WORK}\b(,?)(?= \w)")
_ADVERB = re.compile(r"(we|this (?:paper|work)) (?:also|then|further|additionally|first|next|finally)\b,? ", re.I)


def trim(sentence: str) -> str:
    """The sentence on its own: without "In this paper," or "Moreover," before it, and without citations in brackets.

    What is left stands in the sentence in the same order; formulas and numbers stay.
    """
    text = sentence.strip()
    if "(" in text or "[" in text or "\\cite" in text:
        text = _ASIDE.sub("", _CITATION.sub("", text)).strip()
    while lead_in := _LEAD_IN.match(text):
        text = text[lead_in.end() :]
    text = _ADVERB.sub(r"\1 ", text, count=1) if _ADVERB.match(text) else text
    text = _IN_THIS_PAPER.sub(lambda found: "," if found[1] != found[2] else "", text)
    first_word = text.split(" ", 1)[0].replace("-", "")
    return text[:1].upper() + text[1:] if first_word.isalpha() and first_word.islower() else text
