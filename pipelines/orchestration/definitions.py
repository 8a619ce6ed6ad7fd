"""Dagster's view of the line: assets, three schedules, freshness. Nothing happens at import."""

import logging
from datetime import timedelta
from typing import Any

import dagster as dg

from pipelines.line import Line
from pipelines.orchestration.assets import PullConfig, copy_asset, feed_assets, packages, registry
from pipelines.settings import load_settings

log = logging.getLogger(__name__)

_LINE = {"subregistry": "line"}  # dagster.yaml allows one run per value of this tag
_HOURLY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=3), warn_window=timedelta(hours=2)
)


class DeploymentResource(dg.ConfigurableResource[Line]):
    """The deployment of the SUBREGISTRY_* environment, created when a run starts."""

    def create_resource(self, context: dg.InitResourceContext) -> Line:
        return Line(load_settings())


def build_defs(**resources: Any) -> dg.Definitions:  # Dagster takes any resource
    """All definitions; keywords replace resources."""
    given = resources.get("deployment")
    deployment = given if isinstance(given, Line) else Line(load_settings())
    documents = deployment.documents()
    for error in documents.broken.values():
        log.error("%s; its feed stays as it is, and has no assets until that is mended", error)
    feeds = [feed_assets(policy) for policy in documents.valid]
    editions = [edition for (_, _, edition, _), _ in feeds]
    assets = [registry, packages, *[asset for group, _ in feeds for asset in group]]
    assets.append(copy_asset(editions))
    line = dg.AssetSelection.all() - dg.AssetSelection.assets(packages)
    fresh = [
        asset.map_asset_specs(
            lambda spec: (
                spec.replace_attributes(freshness_policy=_HOURLY)
                if spec.key.path[-1].endswith(("__entries", "__edition"))
                else spec
            )
        )
        for asset in assets
    ]
    full = dg.RunConfig(ops={"registry": PullConfig(full=True)})
    refresh_job = dg.define_asset_job("refresh", selection=line, tags=_LINE)
    reconcile_job = dg.define_asset_job("reconcile", selection=line, config=full, tags=_LINE)
    profile_job = dg.define_asset_job(
        "profile", selection=dg.AssetSelection.assets(packages), tags={"subregistry": "profile"}
    )
    return dg.Definitions(
        assets=fresh,
        asset_checks=[check for _, check in feeds],
        jobs=[refresh_job, reconcile_job, profile_job],
        schedules=[
            _schedule("refresh_hourly", refresh_job, "7 * * * *"),
            _schedule("reconcile_daily", reconcile_job, "37 3 * * *"),
            _schedule("profile_hourly", profile_job, "17 * * * *"),
        ],
        executor=dg.in_process_executor,
        resources={"deployment": DeploymentResource()} | resources,
    )


def _schedule(name: str, job: Any, cron: str) -> dg.ScheduleDefinition:  # an unresolved job
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return build_defs()
