"""Languages that the rules know a little of: how to tell them, and what a shot of each size sees, in them."""

from __future__ import annotations

import re

from localvid.llm.lexicon import is_english, word_set, words_of

PHRASES: dict[str, dict[str, str]] = {
    "de": {
        "wide": "die ganze Umgebung im Bild",
        "full": "vom Boden bis zum Himmel",
        "medium": "aus der Nähe, mitten in der Bewegung",
        "close": "ganz nah, jede Einzelheit scharf",
        "low": "von unten gesehen",
        "high": "von oben gesehen",
        "detail": "nur eine Kleinigkeit füllt das Bild",
    },
    "fr": {
        "wide": "avec tout le paysage autour",
        "full": "du sol jusqu'au ciel",
        "medium": "de plus près, en plein mouvement",
        "close": "de très près, chaque détail net",
        "low": "vu d'en bas",
        "high": "vu d'en haut",
        "detail": "un seul détail remplit l'image",
    },
    "es": {
        "wide": "con todo el paisaje alrededor",
        "full": "del suelo al cielo",
        "medium": "más cerca, en pleno movimiento",
        "close": "muy de cerca, con cada detalle nítido",
        "low": "visto desde abajo",
        "high": "visto desde arriba",
        "detail": "un solo detalle llena la imagen",
    },
    "it": {
        "wide": "con tutto il paesaggio intorno",
        "full": "dal suolo al cielo",
        "medium": "più da vicino, in pieno movimento",
        "close": "molto da vicino, ogni dettaglio nitido",
        "low": "visto dal basso",
        "high": "visto dall'alto",
        "detail": "un solo dettaglio riempie l'immagine",
    },
    "pt": {
        "wide": "com toda a paisagem em volta",
        "full": "do chão ao céu",
        "medium": "mais de perto, em pleno movimento",
        "close": "muito de perto, cada detalhe nítido",
        "low": "visto de baixo",
        "high": "visto de cima",
        "detail": "um só detalhe enche a imagem",
    },
    "zh": {
        "wide": "四周的景色尽收眼底",
        "full": "从地面到天空",
        "medium": "走近一些，正在动作之中",
        "close": "近看，每个细节都很清晰",
        "low": "从下往上看",
        "high": "从高处俯瞰",
        "detail": "画面里只有一个小小的细节",
    },
    "ja": {
        "wide": "まわりの景色全体",
        "full": "地面から空まで",
        "medium": "近づいて、動きの途中",
        "close": "すぐ近くで、細部まではっきりと",
        "low": "下から見上げて",
        "high": "上から見下ろして",
        "detail": "小さな一部分だけが画面いっぱいに",
    },
    "ko": {
        "wide": "주변 풍경 전체",
        "full": "땅에서 하늘까지",
        "medium": "조금 더 가까이, 움직이는 순간",
        "close": "아주 가까이, 세부까지 선명하게",
        "low": "아래에서 올려다본 모습",
        "high": "위에서 내려다본 모습",
        "detail": "작은 부분 하나가 화면을 채운다",
    },
    "ru": {
        "wide": "со всем, что вокруг",
        "full": "от земли до неба",
        "medium": "ближе, в движении",
        "close": "совсем близко, видна каждая деталь",
        "low": "вид снизу",
        "high": "вид сверху",
        "detail": "одна маленькая деталь во весь кадр",
    },
    "ar": {
        "wide": "مع كل المشهد من حولها",
        "full": "من الأرض إلى السماء",
        "medium": "من مسافة أقرب أثناء الحركة",
        "close": "عن قرب شديد بتفاصيل واضحة",
        "low": "منظر من الأسفل",
        "high": "منظر من الأعلى",
        "detail": "تفصيل صغير يملأ الصورة",
    },
}
"""Language → size of shot → words that may follow a scene."""

JOINERS = {"zh": "，", "ja": "、", "ar": "، "}
"""What stands between a scene and its phrase, where it is not a comma and a space."""

_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("", re.compile(r".*[پچژگٹڈڑےіїєґў]", re.DOTALL)),  # Persian, Urdu, Ukrainian, Belarusian
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
)

_SMALL_WORDS: dict[str, frozenset[str]] = {
    "de": word_set("der die das dem den und ein eine einen einer im am auf mit ins aufs durch über zum"),
    "fr": word_set("le la les des du un une et dans sur avec sous au aux est qui d l"),
    "es": word_set("el la los las un una y en con por del al sobre bajo que"),
    "it": word_set("il lo la gli i un una e di nel nella con sul sotto che alla al"),
    "pt": word_set("o a os as um uma e em no na com do da dos das sob ao que"),
}


def language_of(text: str) -> str:
    """ "en", one of the languages of PHRASES, or "" for any other."""
    if is_english(text):
        return "en"
    letters = [char for char in text if char.isalpha()]
    for language, script in _SCRIPTS:
        if script.search(text) and sum(char.isascii() for char in letters) < len(letters) / 2:
            return language
    words = words_of(text)
    counts = {language: sum(word in small for word in words) for language, small in _SMALL_WORDS.items()}
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] >= 2 else ""
