"""Trains the SentencePiece unigram model on the corpus and writes the tokenizer files of Hugging Face's layout."""

import json
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, normalizers
from tokenizers.models import Unigram
from tokenizers.processors import TemplateProcessing

END_OF_TEXT = "|ENDOFTEXT|"
NEWLINE = "|NEWLINE|"
# User-defined pieces, in the spirit of the 8B's vocabulary. A newline in a text is the byte piece <0x0A>.
SPECIAL = ["|SPEAKER|", END_OF_TEXT, NEWLINE]


def train_tokenizer(texts: list[str], vocabulary: int, seed: int, directory: Path) -> None:
    """Writes tokenizer.model: unigram, byte fallback, identity normalisation, spaces kept, one piece per digit."""
    directory.mkdir(parents=True, exist_ok=True)
    sentencepiece.set_random_generator_seed(seed)
    # A line after the first has no leading space when it is encoded as part of its document. Joined by a
    # user-defined piece, which no learnt piece crosses, it has none here either.
    sentences = (text.replace("\n", NEWLINE) for text in texts)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sentences,
        model_prefix=str(directory / "tokenizer"),
        model_type="unigram",
        vocab_size=vocabulary,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        user_defined_symbols=SPECIAL,
        max_sentence_length=8192,
        num_threads=1,
        hard_vocab_limit=False,
        minloglevel=1,
    )
    (directory / "tokenizer.vocab").unlink()


def end_of_text_id(processor: sentencepiece.SentencePieceProcessor) -> int:
    return processor.piece_to_id(END_OF_TEXT)


def write_tokenizer_files(directory: Path) -> None:
    """tokenizer.json, tokenizer_config.json and special_tokens_map.json that agree with tokenizer.model."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(directory / "tokenizer.model"))
    end = end_of_text_id(processor)
    _fast_tokenizer(processor, end).save(str(directory / "tokenizer.json"))
    added = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    config = {
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": {
            "0": {"content": "<unk>", **added, "special": True},
            str(end): {"content": END_OF_TEXT, **added, "special": True},
        },
        "bos_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": False,
        "eos_token": None,
        "legacy": True,
        "model_max_length": 2048,
        "pad_token": None,
        "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
    }
    special = {"bos_token": {"content": END_OF_TEXT, **added}, "unk_token": {"content": "<unk>", **added}}
    for name, value in (("tokenizer_config.json", config), ("special_tokens_map.json", special)):
        (directory / name).write_text(json.dumps(value, indent=2) + "\n")


def _fast_tokenizer(processor: sentencepiece.SentencePieceProcessor, end: int) -> Tokenizer:
    """The same model for Hugging Face's tokenizers: prefix space, spaces to ▁, BOS in front."""
    pieces = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.vocab_size())]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = TemplateProcessing(
        single=f"{END_OF_TEXT} $A",
        pair=f"{END_OF_TEXT} $A {END_OF_TEXT}:1 $B:1",
        special_tokens=[(END_OF_TEXT, end)],
    )
    tokenizer.add_special_tokens(
        [AddedToken("<unk>", normalized=False, special=True), AddedToken(END_OF_TEXT, normalized=False, special=True)]
    )
    return tokenizer
