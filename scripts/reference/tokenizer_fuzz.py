"""Compares the TypeScript tokenizer with sentencepiece on random text and random ids, and prints every kind of mismatch.

  python scripts/reference/tokenizer_fuzz.py --model DIRECTORY/tokenizer.model [--strings 12000] [--ids 5000] [--seed 1]

Run it with an interpreter that has `sentencepiece`, after the TypeScript was compiled (--dist names the compiled
src/tokenizer, default dist/src/tokenizer). `node` comes from the PATH. Exit status 1 when anything differs.
"""
import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys

import sentencepiece

HERE = pathlib.Path(__file__).resolve().parent

RANGES = [
    (0x20, 0x7E), (0x20, 0x7E), (0x00, 0x1F), (0x7F, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF),
    (0x2000, 0x206F), (0x2100, 0x214F), (0x2580, 0x2590), (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xADFF),
    (0xE000, 0xE010), (0xFB00, 0xFB06), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0xFFF0, 0xFFFD), (0x1F300, 0x1F64F),
    (0x1D400, 0x1D4FF), (0x10FFF0, 0x10FFFF),
]
SPACES = [" ", "  ", "   ", "    ", "        ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u2581", "\u3000", "\u200b", "\ufeff"]
LITERALS = ["<0x41>", "<0x0A>", "<0x4>", "<s>", "</s>", "<unk>", "<pad>", "|", "||", "|END", "OFTEXT|", "\u2047", "\ufffd"]
WORDS = (
    "def return if else for while import const function human adept the of and to in is model layer token 0 1 42 3.14 "
    "== === != -> => ++ -- // # ## ### #### ---- ======== ******** ........ {} [] () ); }} \"\" '' ` \\n \\\\ _ __ "
    "hello Hello HELLO world naïve café Straße привет 日本語 你好 안녕 😀 👩‍👩‍👧 🏳️‍🌈 e\u0301 ﬁ Ⅳ ½ ① ﾊﾟ"
).split()


def random_text(rng, special, kind):
    out = []
    for _ in range(rng.randint(1, 40)):
        choice = rng.random()
        if kind == "symbols" and choice < 0.4:
            symbol = rng.choice(special)
            cut = rng.randint(1, len(symbol)) if rng.random() < 0.3 else len(symbol)
            out.append(symbol[:cut])
        elif choice < 0.15:
            low, high = rng.choice(RANGES)
            out.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))))
        elif choice < 0.35:
            out.append(rng.choice(SPACES) * rng.randint(1, 4))
        elif choice < 0.45:
            out.append(rng.choice(LITERALS))
        elif choice < 0.50:
            out.append(rng.choice(special) if special else "")
        elif choice < 0.60:
            out.append(rng.choice("-=*#.a 0(") * rng.randint(1, 70))
        else:
            out.append(rng.choice(WORDS) + rng.choice(["", "", " "]))
    return "".join(out)


def random_ids(rng, processor, byte_ids):
    ids = []
    for _ in range(rng.randint(1, 20)):
        choice = rng.random()
        if choice < 0.4 and byte_ids:
            raw = rng.choice(["é", "日", "😀", "\u0301", "a"]).encode()
            raw = raw[: rng.randint(1, len(raw))] if rng.random() < 0.5 else raw
            ids += [byte_ids[b] for b in raw]
        elif choice < 0.6 and byte_ids:
            ids.append(byte_ids[rng.randint(0, 255)])
        elif choice < 0.7:
            ids.append(rng.randint(0, min(20, processor.get_piece_size() - 1)))
        else:
            ids.append(rng.randint(0, processor.get_piece_size() - 1))
    return ids


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="path of a tokenizer.model")
    parser.add_argument("--dist", default=str(HERE.parent.parent / "dist" / "src" / "tokenizer"))
    parser.add_argument("--strings", type=int, default=12000)
    parser.add_argument("--ids", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=5, help="mismatches of each kind to print")
    args = parser.parse_args()

    model = pathlib.Path(args.model)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    rng = random.Random(args.seed)
    size = processor.get_piece_size()
    reserved = [i for i in range(min(size, 400)) if processor.get_score(i) == 0 and not processor.is_byte(i)]
    special = [processor.id_to_piece(i) for i in reserved]
    byte_ids = [processor.piece_to_id("<0x%02X>" % b) for b in range(256)]
    if not all(processor.is_byte(i) for i in byte_ids):
        byte_ids = []

    requests, expected, kinds = [], [], []
    for number in range(args.strings):
        kind = "symbols" if number % 4 == 3 else "text"
        text = random_text(rng, special, kind)
        ids = processor.encode(text, out_type=int)
        requests.append({"text": text})
        expected.append({"ids": ids, "decoded": processor.decode(ids)})
        kinds.append(kind)
    for _ in range(args.ids):
        ids = random_ids(rng, processor, byte_ids)
        decoded = processor.decode(ids)
        requests.append({"ids": ids})
        expected.append({"decoded": decoded, "streamed": decoded})
        kinds.append("decode")

    node = subprocess.run(
        ["node", str(HERE / "tokenizer_fuzz.mjs"), str(model.parent), args.dist],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True, text=True, encoding="utf-8",
    )
    if node.returncode != 0:
        sys.exit(f"node side failed:\n{node.stderr}")
    answers = [json.loads(line) for line in node.stdout.split("\n") if line]
    if len(answers) != len(requests):
        sys.exit(f"{len(requests)} requests but {len(answers)} answers")

    total, wrong = collections.Counter(kinds), collections.Counter()
    for request, want, got, kind in zip(requests, expected, answers, kinds):
        if want == got:
            continue
        wrong[kind] += 1
        if wrong[kind] <= args.show:
            print(f"MISMATCH ({kind}) {json.dumps(request)}")
            for key in want:
                if want[key] != got[key]:
                    print(f"  sentencepiece {key}: {json.dumps(want[key])}\n  ours          {key}: {json.dumps(got[key])}")
    for kind in total:
        print(f"{kind}: {total[kind] - wrong[kind]} of {total[kind]} equal to sentencepiece {sentencepiece.__version__}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
