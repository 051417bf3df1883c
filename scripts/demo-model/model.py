"""The model: Hugging Face's own Persimmon, with the shape that Settings asks for."""

import torch
from transformers import PersimmonConfig, PersimmonForCausalLM

import attention
from muon import Muon
from settings import Settings


def build(settings: Settings, vocabulary: int, end: int, device: str = "cpu") -> PersimmonForCausalLM:
    """Random weights from settings.initial_seed. Everything but the sizes is as in the 8B."""
    torch.manual_seed(settings.initial_seed)
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
    config._attn_implementation = attention.NAME
    return PersimmonForCausalLM(config).to(device)


class Optimizers:
    """Muon for the matrices of the layers, AdamW for the embedding, the output head, norms and biases.

    Muon takes the step of AdamW's size, so that one learning rate serves both. The embedding, the head and the matrices
    decay; norms and biases do not.
    """

    def __init__(self, model: PersimmonForCausalLM, settings: Settings):
        named = list(model.named_parameters())
        outer = [p for n, p in named if n.startswith(("model.embed_tokens.", "lm_head."))]
        matrices = [p for n, p in named if p.ndim == 2 and ".layers." in n]
        vectors = [p for n, p in named if p.ndim < 2]
        rate, decay = 0.0, settings.weight_decay  # step() sets the rate
        groups = [{"params": outer, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
        self.all = [
            Muon(matrices, lr=rate, weight_decay=decay),
            torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), eps=1e-8, fused=True),
        ]

    def step(self, learning_rate: float) -> None:
        """One step at this learning rate; the gradients are gone afterwards."""
        for optimizer in self.all:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        return [optimizer.state_dict() for optimizer in self.all]

    def load_state_dict(self, states: list[dict]) -> None:
        for optimizer, state in zip(self.all, states, strict=True):
            optimizer.load_state_dict(state)
