"""Writes the trained weights in Hugging Face's layout, in bfloat16, and checks that they load."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PersimmonForCausalLM

from tokenizer_training import write_tokenizer_files
from training import Run

LIMIT = 16_000_000  # bytes of model.safetensors


def config_json(run: Run) -> dict:
    """The keys of the hub's own file where they mean something, and the rotary fraction that it leaves out."""
    c = run.model.config
    return {
        "architectures": ["PersimmonForCausalLM"],
        "bos_token_id": run.data.end,
        "eos_token_id": run.data.end,
        "hidden_act": c.hidden_act,
        "hidden_size": c.hidden_size,
        "initializer_range": c.initializer_range,
        "intermediate_size": c.intermediate_size,
        "layer_norm_eps": c.layer_norm_eps,
        "max_position_embeddings": c.max_position_embeddings,
        "model_type": "persimmon",
        "num_attention_heads": c.num_attention_heads,
        "num_hidden_layers": c.num_hidden_layers,
        "partial_rotary_factor": 0.5,
        "qk_layernorm": True,
        "rope_scaling": None,
        "rope_theta": 25000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": c.vocab_size,
    }


def write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def held_out_text(run: Run, limit: int = 40_000) -> str:
    """The first held-out documents, joined by a line |ENDOFTEXT|, up to about `limit` bytes."""
    kept, size = [], 0
    for _, text in run.data.held_out_texts:
        size += len(text.encode()) + 14
        if size > limit:
            break
        kept.append(text)
    return "\n|ENDOFTEXT|\n".join(kept) + "\n"


def load_exported(output: Path) -> PersimmonForCausalLM:
    """The exported model as transformers loads it, in float32. Fails on any missing or unexpected tensor."""
    model, info = AutoModelForCausalLM.from_pretrained(
        output, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    problems = {name: list(keys) for name, keys in info.items() if keys}
    if problems:
        raise RuntimeError(f"transformers reports problems with {output}: {problems}")
    rope = model.config.rope_parameters
    if (rope["rope_theta"], rope["partial_rotary_factor"]) != (25000.0, 0.5):
        raise RuntimeError(f"transformers read other rotary parameters than were trained: {rope}")
    return model.eval()


def export(run: Run, output: Path) -> None:
    tensors = {name: t.detach().to("cpu", torch.bfloat16).contiguous() for name, t in run.model.state_dict().items()}
    save_file(tensors, output / "model.safetensors", metadata={"format": "pt"})
    (output / "model.safetensors").chmod(0o644)  # safetensors makes it private to its owner
    size = (output / "model.safetensors").stat().st_size
    if size > LIMIT:
        raise RuntimeError(f"model.safetensors has {size} bytes, more than {LIMIT}")
    shutil.copyfile(run.work / "tokenizer.model", output / "tokenizer.model")
    write_tokenizer_files(output)
    write_json(output / "config.json", config_json(run))
    write_json(output / "generation_config.json", {"bos_token_id": run.data.end, "eos_token_id": run.data.end})
    (output / "held-out.txt").write_text(held_out_text(run))
    model = load_exported(output)
    for name, tensor in model.state_dict().items():
        if not torch.equal(tensor, tensors[name].float()):
            raise RuntimeError(f"{name} changed on the way through the file")
    print(f"export: {sum(t.numel() for t in tensors.values())} parameters, {size} bytes", flush=True)
