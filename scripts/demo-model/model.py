"""The model: Hugging Face's own Persimmon, with the shape that Settings asks for."""

import torch
from transformers import PersimmonConfig, PersimmonForCausalLM

from settings import Settings


def build(settings: Settings, vocabulary: int, end: int) -> PersimmonForCausalLM:
    """Random weights from the seed. Everything but the sizes is as in the 8B."""
    torch.manual_seed(settings.seed)
    config = PersimmonConfig(
        vocab_size=vocabulary,
        hidden_size=settings.hidden,
        intermediate_size=settings.intermediate,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        max_position_embeddings=2048,
        hidden_act="relu2",
        rope_parameters={"rope_type": "default", "rope_theta": 25000.0, "partial_rotary_factor": 0.5},
        qk_layernorm=True,
        tie_word_embeddings=False,
        bos_token_id=end,
        eos_token_id=end,
        use_cache=False,
    )
    return PersimmonForCausalLM(config)


def optimizer(model: PersimmonForCausalLM, settings: Settings) -> torch.optim.Optimizer:
    """AdamW; matrices decay, norms and biases do not."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.95), eps=1e-8, fused=True)
