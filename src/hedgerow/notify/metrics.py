"""``/metrics``: the series of views in Prometheus' text format, computed when they are scraped."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from hedgerow.dashboard.view import View
from hedgerow.notify.series import SERIES, Series, SeriesKind, bot_label

__all__ = ["metrics_text"]


def metrics_text(views: Sequence[View]) -> bytes:
    """Return what Prometheus reads (text format 0.0.4), of one view for each bot."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Views(views))
    return generate_latest(registry)


class _Views:
    """A collector that reads the views which it was made with."""

    def __init__(self, views: Iterable[View]) -> None:
        self._views = tuple(views)

    def collect(self) -> Iterator[Metric]:
        for series in SERIES:
            yield self._family(series)

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def _family(self, series: Series) -> Metric:
        kind = CounterMetricFamily if series.kind is SeriesKind.COUNTER else GaugeMetricFamily
        family = kind(series.name, series.help, labels=("bot", *series.labels))
        for view in self._views:
            for sample in series.value(view):
                family.add_metric([bot_label(view), *sample.labels], sample.value)
        return family
