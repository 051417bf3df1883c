"""Which facts and combinations the training text leaves out: decided by a hash of their name alone.

A key says what is combined, for instance "fact:heron:eats" or "code:squares|even|total". What is held out does not
depend on the seed, the order or the Python version, so the training text and the evaluation items agree on it.
"""

import hashlib


def held_out(key: str, share: float) -> bool:
    """True for about `share` of all keys."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return number < share * 2**64
