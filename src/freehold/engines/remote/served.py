"""The models of a remote engine, from what is configured and what its servers told."""

import hashlib
from collections.abc import Sequence

from freehold.core.ports import Served
from freehold.engines.registry import EngineSpec
from freehold.engines.remote.dialects import DIALECTS, PLAIN
from freehold.engines.remote.probe import Ability, Facts

CONTEXT = 32_768
"""The context of a model where neither its server nor the settings name one."""
_CREATED = 1_735_689_600


def served_by(spec: EngineSpec, facts: Sequence[Facts]) -> list[Served]:
    """Return the models; of servers that tell different things, the first that knows a model counts."""
    known: dict[str, tuple[Facts, Ability]] = {}
    for one in facts:
        for name, ability in one.models.items():
            known.setdefault(name, (one, ability))
    return [_served(spec, name, known.get(name)) for name in spec.models or known]


def _served(spec: EngineSpec, name: str, told: tuple[Facts, Ability] | None) -> Served:
    facts, ability = told or (Facts(dialect=DIALECTS.get(spec.dialect or "", PLAIN)), _configured(spec))
    backend = " ".join(part for part in (facts.dialect.name, facts.version) if part)
    context = spec.context or ability.context or CONTEXT
    see = spec.vision == "native" or (spec.vision is None and ability.vision)
    return Served(
        name=name,
        context=context,
        max_output=context,
        created=_CREATED,
        backend=backend,
        fingerprint="fp_" + hashlib.sha256(f"{backend}\0{name}\0{spec.url}\0{spec.urls}".encode()).hexdigest()[:10],
        vision="native" if see else "none",
        constrained=ability.schema,
        logprobs=ability.logprobs,
        remote=True,
        thinking="trained" if ability.thinking else "none",
    )


def _configured(spec: EngineSpec) -> Ability:
    """What the settings say of a model whose server has not answered yet."""
    able = spec.abilities or ()
    dialect = DIALECTS.get(spec.dialect or "", PLAIN)
    schema = "schema" in able or (spec.abilities is None and dialect.schema is True)
    return Ability(schema=schema, logprobs="logprobs" in able, thinking="reasoning" in able)
