"""A MODEL that listens more to the words for who is drawn. Spec: conditioning.md 2.3."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from ...adapters import kind_of
from ...attention.engine import inject
from ...attention.own_rows import OwnRows
from ...attention.sites import attention_sites
from ...attention.use import Use
from ...choices.story import ALL, BLOCKS, TOKENS

log = logging.getLogger(__name__)


def hold(
    model: Any, identity_tokens: int, use: Use, blocks: Sequence[str] = (ALL,), tokens: int = TOKENS
) -> Any:
    """A clone of MODEL whose positive prompts attend to their first identity_tokens rows once more.

    use.weight: 1 is the published method; the rows weigh 1 + weight times as much. blocks: ALL or some of
    BLOCKS. tokens: how long the story's prompt is. MODEL itself when nothing would change. Raises ValueError
    for a MODEL without cross-attention, no rows, more rows than the prompt has, unknown blocks, or a
    weight below 0.
    """
    sites = attention_sites(model.model.diffusion_model)
    if not sites:
        raise ValueError(
            f"model is {kind_of(model)}, which has no U-Net with cross-attention: Hold Identity needs SDXL "
            "or SD1.5."
        )
    if not 1 <= identity_tokens <= tokens:
        raise ValueError(
            f"identity_tokens is {identity_tokens}, but the prompt has {tokens} rows: connect "
            "identity_tokens of Story Prompt."
        )
    unknown = [name for name in blocks if name not in (ALL, *BLOCKS)]
    if unknown or not blocks:
        raise ValueError(
            f"blocks must be some of {', '.join((ALL, *BLOCKS))}, not {', '.join(unknown) or 'none'}."
        )
    if use.weight < 0:
        raise ValueError(f"strength is {use.weight}: it can't be less than 0, which is the model as it was.")
    if use.nothing("Hold Identity") or use.weight == 0:
        return model
    kinds = BLOCKS.values() if ALL in blocks else [BLOCKS[name] for name in blocks]
    chosen = tuple(site for site in sites if site.key[0] in kinds)
    if not chosen:
        log.info("Hold Identity changes nothing: the model has no cross-attention in %s.", ", ".join(blocks))
        return model
    return inject(model, chosen, OwnRows(identity_tokens, tokens, use.weight, use.window))
