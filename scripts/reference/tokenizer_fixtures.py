"""Writes test/tokenizer/fixtures/sentencepiece.json: small vocabularies trained by sentencepiece, and what sentencepiece itself makes
of some texts and ids with them. The tests compare the TypeScript tokenizer with it, so that a fresh clone has an outside authority.

  python scripts/reference/tokenizer_fixtures.py        (needs the package `sentencepiece`)
"""
import base64
import contextlib
import io
import json
import pathlib
import random
import tempfile

import sentencepiece

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "tokenizer" / "fixtures" / "sentencepiece.json"

CORPUS = """The persimmon tree stands behind the house and drops its fruit in November.
A token is a piece of text, and a piece of text is a row of a table.
def area(width, height):
    return width * height
for index in range(10):
    print(index, index ** 2)
const total = values.reduce((sum, value) => sum + value, 0);
if (total > 100) { console.log("large"); } else { console.log("small"); }
What is read is counted, what is counted is weighed, what is weighed is kept.
# ------------------------------------------------------------
# ============================================================
        deeply indented text    with    wide    spaces
1 + 1 = 2, 12 * 12 = 144, 3.14159 is nearly pi.
Rain in the morning, wind in the evening, and a clear sky at night.
Wer misst, misst Mist; süße Grüße aus Köln und Zürich.
柿の木は家の後ろに立っている。柿は赤い。
""".split("\n")

# Source, target: one to many, many to one, many to many, deletion, to a space, and keys of which one is the start of another.
RULES = {
    "\ufb01": "fi", "\uff21": "A", "\uff22": "B", "\u3000": " ", "\u00a0": " ", "\u00ad": "", "e\u0301": "\u00e9",
    "\u2460": "(1)", "\u2460\u2461": "(1-2)", "\u2460\u2461\u2462": "(1-3)", "\u33a1": "m 2", "\u0130": "i", "\t": " ",
}

COMMON = dict(
    model_type="unigram", vocab_size=400, hard_vocab_limit=False, byte_fallback=True, num_threads=1, minloglevel=2,
    control_symbols=["|CONTROL|"], user_defined_symbols=["|ENDOFTEXT|", "|SPEAKER|", "two words", "\u2460!"],
)
VARIANTS = {
    "persimmon": dict(normalization_rule_name="identity", remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, split_digits=True),
    "rules": dict(rules=True, remove_extra_whitespaces=False, allow_whitespace_only_pieces=True),
    "rules-squeezed": dict(rules=True, remove_extra_whitespaces=True),
    "no-prefix": dict(normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False),
    "no-prefix-squeezed": dict(normalization_rule_name="identity", remove_extra_whitespaces=True, add_dummy_prefix=False),
    "suffix": dict(normalization_rule_name="identity", remove_extra_whitespaces=True, treat_whitespace_as_suffix=True),
    "no-bytes": dict(normalization_rule_name="identity", remove_extra_whitespaces=False, byte_fallback=False),
}

TEXTS = [
    "", " ", "   ", "a", " a", "a ", "  two  words  ", "two words", "|ENDOFTEXT|", "x|ENDOFTEXT||SPEAKER|y", "|SPEAKER", "|CONTROL|",
    "<s></s><unk>", "<0x41><0x0A>", "\u2581", "a\u2581b", "\ufb01sh \uff21\uff22", "\u3000\u3000wide\u00a0space\u3000", "so\u00adft",
    "e\u0301e\u0300", "\u2460", "\u2460\u2461", "\u2460\u2461\u2462\u2463", "\u2460!", "\u33a1\u0130", "\ttab\tand\t\ttab", "\n\n", "a\r\nb",
    "柿の木 柿", "süße Grüße", "😀 👩‍👩‍👧", "\u0000\u0001\u007f", "\ufeffbom", "\ufffd", "\U0010ffff",
    "def area(width, height):\n    return width * height\n", "-" * 70, "=" * 61 + "|SPEAKER|" + "-" * 61, " " * 33 + "x", "#" * 40 + "\n" + "=" * 50,
    "The persimmon tree drops 12 fruit.", "zzqqjjxx" * 5,
]


def main():
    rng = random.Random(7)
    variants = []
    for name, options in VARIANTS.items():
        settings = {**COMMON, **options}
        model = io.BytesIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            if settings.pop("rules", False):
                # A relative name, because the name goes into the model.
                settings["normalization_rule_tsv"] = "rules.tsv"
                with open("rules.tsv", "w", encoding="utf-8") as rules:
                    for source, target in RULES.items():
                        rules.write(" ".join("%X" % ord(c) for c in source) + "\t" + " ".join("%X" % ord(c) for c in target) + "\n")
            sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS * 4), model_writer=model, **settings)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        size = processor.get_piece_size()
        texts = [{"text": text, "ids": processor.encode(text)} for text in TEXTS]
        for case in texts:
            case["decoded"] = processor.decode(case["ids"])
        # What starts a text decides how many of its first spaces are dropped.
        spaced = [i for i in range(size) if processor.id_to_piece(i).startswith("\u2581")][:6]
        starts = [[a, b] for a in spaced[:4] for b in spaced] + [[1, 2, a, a] for a in spaced]
        sequences = [{"ids": ids, "decoded": processor.decode(ids)} for ids in starts]
        for _ in range(40):
            ids = [rng.randrange(size) if rng.random() < 0.5 else rng.randrange(min(size, 270)) for _ in range(rng.randint(1, 12))]
            sequences.append({"ids": ids, "decoded": processor.decode(ids)})
        variants.append({"name": name, "model": base64.b64encode(model.getvalue()).decode(), "size": size, "texts": texts, "sequences": sequences})
    lines = [json.dumps({"sentencepiece": sentencepiece.__version__, "variants": variants}, separators=(",", ":"))]
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{OUTPUT}: {len(variants)} vocabularies, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
