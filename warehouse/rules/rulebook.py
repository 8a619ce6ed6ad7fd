"""Ordered rules that share atoms, as one set-based statement and as an outline to explain by.

Pure: texts in, texts out. Rules are combined by Kleene's three-valued logic.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import structs

from warehouse.rules.columns import AGES, COLUMNS, PACKAGE_SQL
from warehouse.rules.language import PACKAGES, Atom, Predicate, sql_of
from warehouse.rules.outline import (
    Outline,
    OutlinedAtom,
    OutlinedRule,
    RuleKind,
    Verdict,
    WhenUnknown,
)
from warehouse.rules.ternary import Tree

ChooseLatest = Callable[[Sequence[tuple[str, datetime]]], int]


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its checked predicate; `when` is the expression as written.

    `unknown` says how an unknown predicate counts: `match` as true, `skip` as false.
    """

    name: str
    verdict: Verdict
    reason: str
    predicate: Predicate
    when: str = ""
    kind: RuleKind = "rule"
    unknown: WhenUnknown = "skip"


@dataclass(frozen=True)
class CompiledCooldown:
    """How old a version must be; servers that match `bypass` do not wait."""

    period: timedelta
    bypass: Predicate | None = None


@dataclass(frozen=True)
class CompiledDrop:
    """A test of single packages: those that match are left out of an admitted entry.

    `each` is SQL of its results as a list; `unknown` says how an unknown one counts.
    """

    name: str
    reason: str
    each: str
    unknown: WhenUnknown = "skip"


class RuleBook:
    """Rules in evaluation order, with the atoms that they share.

    `blocks` maps NAME or NAME@VERSION to the reason for the rule `block`. `choose_latest` gives the
    index of the latest of (version, published_at): with it, of each server only the latest of its
    admitted versions stays admitted; the others are excluded by `latest`. `drops` leave packages
    out. `atoms` are distinct
    tests, `trees` has one tree of atom numbers per rule, `columns` are all columns that are read.
    """

    def __init__(
        self,
        rules: Sequence[CompiledRule],
        *,
        default: Verdict,
        cooldown: CompiledCooldown | None = None,
        choose_latest: ChooseLatest | None = None,
        drops: Sequence[CompiledDrop] = (),
        blocks: Mapping[str, str] | None = None,
    ) -> None:
        self.choose_latest = choose_latest
        self.drops = tuple(drops)
        self.rules = tuple(rules)
        self.blocks = blocks or {}
        self.default = default
        self.cooldown = cooldown
        self.atoms: list[Atom] = []
        self.trees = [self._placed(rule.predicate) for rule in rules]
        self._bypass = self._placed(cooldown.bypass) if cooldown and cooldown.bypass else None
        self.columns = sorted({name for atom in self.atoms for name in atom.columns})

    def _placed(self, predicate: Predicate) -> Tree:
        """The tree of a predicate, renumbered to the atoms of the book."""
        numbers = []
        for atom in predicate.atoms:
            if atom not in self.atoms:
                self.atoms.append(atom)
            numbers.append(self.atoms.index(atom))
        return _renumbered(predicate.tree, numbers)

    def outline(self) -> Outline:
        """The book as it is stored for explanations."""
        rules = tuple(
            OutlinedRule(
                name=rule.name,
                kind=rule.kind,
                verdict=rule.verdict,
                reason=rule.reason,
                when=rule.when,
                unknown=rule.unknown,
                tree=tree,
            )
            for rule, tree in zip(self.rules, self.trees, strict=True)
        )
        outline = Outline(
            rules=rules,
            default=self.default,
            atoms=tuple(OutlinedAtom(atom.text, atom.columns) for atom in self.atoms),
            sources={name: COLUMNS[name].source for name in self.columns},
        )
        if self.cooldown is None:
            return outline
        period = self.cooldown.period.total_seconds()
        return structs.replace(outline, cooldown=period, bypass=self._bypass)

    def statement(self) -> str:
        """Set-based SQL that creates `deciding`; texts are bound, expressions were checked."""
        names = [f"atom_{number}" for number in range(len(self.atoms))]
        atoms = "".join(
            f", ({atom.sql}) AS {name}" for atom, name in zip(self.atoms, names, strict=True)
        )
        rules = "".join(f", {sql_of(tree, names)} AS rule_{i}" for i, tree in enumerate(self.trees))
        count = len(self.rules)
        cases = " ".join(
            f"WHEN rule_{i} IS {'NOT FALSE' if rule.unknown == 'match' else 'TRUE'} THEN {i}"
            for i, rule in enumerate(self.rules)
        )
        # The first matching rule's number; `count` stands for the default. SQL lists start at 1.
        decided = f"CASE {cases} ELSE {count} END" if cases else "0"
        # Only unknown rules up to the deciding one could have changed the verdict.
        unknown = ", ".join(
            f"CASE WHEN rule_{i} IS NULL AND decided >= {i} THEN $names[{i + 1}] END"
            for i in range(count)
        )
        # A reason must not tell people what nobody knows.
        guesses = " ".join(
            f"WHEN decided = {i} AND rule_{i} IS NULL THEN ' (not known, so taken as true)'"
            for i, rule in enumerate(self.rules)
            if rule.unknown == "match"
        )
        guessed = f"CASE {guesses} ELSE '' END" if guesses else "''"
        results = _signs([f"rule_{i}" for i in range(count)])
        atoms += "".join(
            f", list_transform(coalesce(TRY({drop.each}), []), lambda r: "
            f"coalesce(r, {str(drop.unknown == 'match').lower()})) AS drop_{i}"
            for i, drop in enumerate(self.drops)
        )
        return f"""
            CREATE TEMP TABLE deciding AS
            SELECT
                $feed AS feed, upstream, name, version,
                CASE WHEN held THEN 'hold' ELSE $verdicts[decided + 1] END AS verdict,
                CASE WHEN held THEN 'cooldown' ELSE $names[decided + 1] END AS rule,
                CASE
                    WHEN held AND release IS NULL
                        THEN 'the publication of a package should be known and is not'
                    WHEN held THEN 'younger than ' || $period || ': held until '
                        || strftime(release, '%Y-%m-%dT%H:%M:%SZ')
                    ELSE $reasons[decided + 1] || {guessed}
                END AS reason,
                list_filter([{unknown}]::VARCHAR[], lambda x: x IS NOT NULL) AS unknown,
                $now AS decided_at, $policy_hash AS policy_hash, $outline_hash AS outline_hash,
                CASE WHEN held THEN release END AS held_until,
                {results} AS results, {self._all_signs(names)} AS atoms,
                to_json({{
                    'upstream': upstream,
                    'asked_at': strftime(asked_at, '%Y-%m-%dT%H:%M:%SZ'),
                    'sources': sources,
                    'release': CASE WHEN $wait IS NULL THEN NULL
                        ELSE coalesce(strftime(release, '%Y-%m-%dT%H:%M:%SZ'), 'unknown') END,
                    {self._dropped()}
                    'values': {{{self._values(self.columns)}}}
                }})::VARCHAR AS seen,
                hash({{
                    'upstream': upstream, 'sources': sources, 'release': release,
                    {self._dropped()}
                    'values': {{{self._values(name for name in self.columns if name not in AGES)}}}
                }}) AS seen_fingerprint
            FROM (
                SELECT
                    *,
                    CASE WHEN publication_known THEN
                        greatest(known_since, newest_publication) + to_microseconds($wait)
                    END AS release,
                    $wait IS NOT NULL AND $verdicts[decided + 1] = 'admit'
                        AND NOT $exempt[decided + 1] AND NOT bypass AND status <> 'deleted'
                        AND coalesce(release > $now, true) AS held
                FROM (
                    SELECT *, {decided} AS decided, {self._passing(names)} AS bypass
                    FROM (
                        SELECT *{rules}
                        FROM (
                            SELECT *{atoms}
                            FROM policy_columns($now)
                            {self._packages()}
                            SEMI JOIN current_bindings USING (name, upstream)
                        )
                    )
                )
            )
        """  # noqa: S608 - expressions were checked when compiled, all else is bound

    def _all_signs(self, names: Sequence[str]) -> str:
        """One sign per atom; behind a bar those of the dropped packages, so that a change shows."""
        if not self.drops:
            return _signs(names)
        signs = ", ".join(
            f"array_to_string(list_transform(drop_{i}, lambda r: left(r::VARCHAR, 1)), ''), '|'"
            for i in range(len(self.drops))
        )
        return f"concat({_signs(names)}, '|', {signs})"

    def _dropped(self) -> str:
        rows = ", ".join(
            f"{{'rule': $drop_names[{i + 1}], 'reason': $drop_reasons[{i + 1}], "
            f"'results': drop_{i}}}"
            for i in range(len(self.drops))
        )
        known = f"list_transform(coalesce({PACKAGES}, []), lambda p: p.identifier)"
        return f"'packages': {known}, 'dropped': [{rows}]," if rows else ""

    def _packages(self) -> str:
        """A join with the packages of each entry, if a test reads them one by one."""
        if not self.drops and not any(PACKAGES in atom.sql for atom in self.atoms):
            return ""
        members = ", ".join(f"'{name}': {sql}" for name, sql in PACKAGE_SQL.items())
        return f"""
            LEFT JOIN (
                SELECT upstream, name, version, list({{{members}}} ORDER BY ordinal) AS {PACKAGES}
                FROM served_packages
                GROUP BY upstream, name, version
            ) USING (upstream, name, version)
        """  # noqa: S608 - names of columns only

    def _passing(self, names: Sequence[str]) -> str:
        return (
            "false" if self._bypass is None else f"coalesce({sql_of(self._bypass, names)}, false)"
        )

    def _values(self, columns: Iterable[str]) -> str:
        shown = {"TIMESTAMPTZ": "strftime({0}, '%Y-%m-%dT%H:%M:%SZ')"}
        return ", ".join(
            f"'{name}': {shown.get(COLUMNS[name].kind, '{0}').format(name)}"
            for name in list(columns) or ["name"]
        )

    def parameters(self) -> dict[str, object]:
        """The values of the statement's parameters, except feed, policy and instant."""
        values: dict[str, object] = {
            "names": [rule.name for rule in self.rules] + ["default"],
            "verdicts": [rule.verdict for rule in self.rules] + [self.default],
            "reasons": [rule.reason for rule in self.rules] + ["no rule decided"],
            # An overlay is an editor's decision, so no cooldown holds it.
            "exempt": [rule.kind == "overlay" for rule in self.rules] + [False],
            "wait": None,
            "period": "",
        }
        if self.cooldown:
            values["wait"] = self.cooldown.period // timedelta(microseconds=1)
            values["period"] = _shown(self.cooldown.period)
        if self.drops:
            values["drop_names"] = [drop.name for drop in self.drops]
            values["drop_reasons"] = [drop.reason for drop in self.drops]
        for atom in self.atoms:
            values |= atom.parameters
        return values


def _renumbered(tree: Tree, numbers: Sequence[int]) -> Tree:
    if isinstance(tree, int):
        return numbers[tree]
    return tree[0], tuple(_renumbered(part, numbers) for part in tree[1])


def _signs(names: Sequence[str]) -> str:
    """SQL for one sign per column: t, f or ?."""
    cases = ", ".join(
        f"CASE {name} WHEN TRUE THEN 't' WHEN FALSE THEN 'f' ELSE '?' END" for name in names
    )
    return f"concat({cases})" if names else "''"


def _shown(period: timedelta) -> str:
    hours = period / timedelta(hours=1)
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"
