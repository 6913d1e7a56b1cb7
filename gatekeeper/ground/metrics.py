"""The metrics of all processes: one list of names with units, meanings and labels.

Labels are bounded: verdicts, codes, topics, partitions, routes, endpoints of a file. None of them names a person, a
campaign or a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

LATENCIES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)
"""Bounds of a histogram's buckets, in seconds."""
Process = Literal["worker", "supervisor", "serve", "console", "seal", "witness", "webhooks"]
"""The processes with a page, by command. `supervisor` is `worker --processes`; its page has those of its workers."""
Labels = tuple[str, ...]


class Metric(NamedTuple):
    """A metric: its name with its unit, what it says, and its labels. A counter's samples end with `_total`.

    `of`: the processes whose pages have it.
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: Labels = ()
    of: tuple[Process, ...] = ("worker",)


Values = Mapping[Metric, Mapping[Labels, float]]
"""Values of gauges and counters by labels; those of a metric without labels stand at `()`."""


SENDS_DECIDED = Metric(
    "counter",
    "gatekeeper_sends_decided",
    "Sends decided and committed. `reason`: the primary code, empty for a clear one. Channel and class are empty if the"
    " send could not be read.",
    ("verdict", "reason", "channel", "message_class"),
)
DECIDED_AT = Metric(
    "gauge",
    "gatekeeper_decided_timestamp_seconds",
    "When the newest decisions of this worker were written, in seconds since the epoch. Their seal comes later.",
)
PUBLISHED_TO_DECIDED = Metric(
    "histogram",
    "gatekeeper_publish_to_decision_seconds",
    "Seconds from a send's timestamp on the broker to the commit of its decision.",
)
TAKEN_TO_DECIDED = Metric(
    "histogram",
    "gatekeeper_decision_seconds",
    "Seconds from when a batch of sends was taken up to the commit of its decisions, barrier and judging included.",
)
BARRIER = Metric(
    "histogram", "gatekeeper_barrier_seconds", "Seconds that a batch waited until all acknowledged facts were applied."
)
TRANSACTION = Metric("histogram", "gatekeeper_transaction_seconds", "Seconds that Kafka took to commit a transaction.")
SENDS_LAG = Metric(
    "gauge",
    "gatekeeper_sends_lag_records",
    "Sends published and not decided. Those of an open transaction count, and those behind it. Aborted ones do not.",
    ("partition",),
)
SENDS_LAG_SECONDS = Metric(
    "gauge", "gatekeeper_sends_lag_seconds", "Age of the oldest send that waits in the worker.", ("partition",)
)
FACTS_APPLIED = Metric(
    "counter", "gatekeeper_facts_applied", "Facts applied since the start.", ("topic",), ("worker", "serve")
)
FACTS_AGE = Metric(
    "gauge",
    "gatekeeper_facts_age_seconds",
    "Seconds since all acknowledged facts were known to be applied.",
    of=("worker", "serve"),
)
FACT_EFFECT = Metric(
    "histogram",
    "gatekeeper_fact_effect_seconds",
    "Seconds from a fact's timestamp on the broker until it binds. Withdrawals are on `consents` and `suppressions`.",
    ("topic",),
    ("worker", "serve"),
)
FACTS_WITHHOLDING = Metric(
    "gauge",
    "gatekeeper_facts_withholding",
    "Facts that cannot be read, and stops that cannot be compared, until they are resolved. `withholds`: whose sends:"
    " `everybody`, `companies`, the people `named`, or `nobody`.",
    ("withholds",),
    ("worker", "serve"),
)
FEEDS = Metric(
    "gauge",
    "gatekeeper_feeds",
    "Registered feeds. `state`: it `delivered` in its rhythm, is `late`, or is `silent` past its limit.",
    ("state",),
)
PEOPLE = Metric("gauge", "gatekeeper_people", "People of whom facts are known.")
PEOPLE_OF_ANOTHER = Metric(
    "gauge", "gatekeeper_people_of_another_id", "People to whom a no of another id with a token in common came over."
)
STOP_ROWS = Metric(
    "gauge",
    "gatekeeper_stop_rows",
    "Rows of stop lists on file. `row`: `certain`; `wide`, which binds more than one; `rejected`, which binds nobody;"
    " `before`, taken in by an earlier release.",
    ("row",),
)
CORRECTIONS = Metric(
    "gauge", "gatekeeper_corrections", "Events that take a stop or a returned piece away, whoever signed them."
)
PARTITION_OWNED = Metric("gauge", "gatekeeper_partition_owned", "1 for each partition of this worker.", ("partition",))
PARTITION_REFUSED = Metric(
    "gauge", "gatekeeper_partition_refused", "1 for each refused partition of this worker.", ("partition", "reason")
)
PARTITION_WAITING = Metric(
    "gauge",
    "gatekeeper_partition_waiting",
    "1 for each partition that judges nothing at the moment and is not refused.",
    ("partition", "cause"),
)
TURNS_ENDED = Metric(
    "counter", "gatekeeper_turns_ended", "Turns of a partition that ended by themselves, by log event.", ("cause",)
)
LEDGER_PEOPLE = Metric(
    "gauge", "gatekeeper_ledger_people", "People with entries in the ledger of a partition.", ("partition",)
)
CLOCK_OFF = Metric("gauge", "gatekeeper_clock_off_seconds", "Seconds by which the clock differs from the broker's.")
READY = Metric("gauge", "gatekeeper_ready", "1 while /readyz answers 200.", of=("worker", "webhooks"))
PROCESS_RESTARTS = Metric(
    "counter",
    "gatekeeper_process_restarts",
    "Starts of a process after it ended. `cause`: `silent` without a sign of life. By exit code `unavailable` (3),"
    " `incomplete` (5), `restart` (70), `stopped` (0), else `fault`.",
    ("cause",),
    ("supervisor",),
)
REQUESTS = Metric(
    "counter",
    "gatekeeper_requests",
    "Requests answered. `route`: the path's template, `other` for one that nothing answers. `status`: `2xx` and so on.",
    ("route", "status"),
    ("serve", "console"),
)
REQUEST_TIME = Metric(
    "histogram",
    "gatekeeper_request_seconds",
    "Seconds from a request to the beginning of its answer. A caller may ask to wait.",
    ("route",),
    ("serve", "console"),
)
REQUESTS_REFUSED = Metric(
    "counter",
    "gatekeeper_requests_refused",
    "Requests that were not done, by the name of the problem. Limits are `too_fast`, `too_many_under_way` and"
    " `too_many_at_once`.",
    ("problem",),
    ("serve",),
)
STOPS_BEYOND = Metric(
    "counter",
    "gatekeeper_stops_beyond",
    "Stops of people that a caller stated beyond its own companies. A sudden rise may be a stolen key.",
    ("caller",),
    ("serve",),
)
EVALUATIONS = Metric(
    "counter",
    "gatekeeper_evaluations",
    "Questions answered. `decision`: `true` or `false`. `reason`: the primary code, empty for a clear one, `invalid` if"
    " the question is wrong.",
    ("decision", "reason"),
    ("serve",),
)
REVIEW_ITEMS = Metric(
    "gauge",
    "gatekeeper_review_items",
    "Items that wait in the review queue, by the time until the end of the mail date: `overdue`, `1d`, `3d`, `7d`,"
    " `later`, or `unknown`.",
    ("due",),
    ("console",),
)
REVIEW_CAUSES = Metric(
    "gauge",
    "gatekeeper_review_causes",
    "Items that wait in the review queue, by primary code; `other` for a code that this release does not know.",
    ("reason",),
    ("console",),
)
MODEL_AGE = Metric(
    "gauge",
    "gatekeeper_read_model_age_seconds",
    "Seconds since the instant up to which the console's pages are known to be current.",
    of=("console",),
)
SEAL_AGE = Metric(
    "gauge", "gatekeeper_seal_age_seconds", "Seconds since the newest checkpoint was sealed.", of=("seal", "witness")
)
LOG_READABLE = Metric(
    "gauge",
    "gatekeeper_log_readable",
    "1 if the sealed log can be read or none is there yet. 0 if it is damaged, or cannot be checked without its key."
    " Then nothing else is told of it.",
    of=("seal", "witness", "webhooks"),
)
LOG_ENTRIES = Metric(
    "gauge", "gatekeeper_log_entries", "Entries of the sealed log under its newest checkpoint.", of=("seal", "witness")
)
MANIFESTS_UNSEALED = Metric(
    "gauge", "gatekeeper_manifests_unsealed", "Manifests that were read and are not sealed yet.", of=("seal",)
)
SEALING_HELD = Metric(
    "gauge",
    "gatekeeper_sealing_held",
    "1 for each partition whose sealing waits for a person.",
    ("partition",),
    ("seal", "witness"),
)
SEAL_FINDINGS = Metric(
    "counter",
    "gatekeeper_seal_findings",
    "Manifests that could not be sealed as they are, by finding; `uncovered` is a finding of a coverage check.",
    ("finding",),
    ("seal",),
)
WITNESSED_AGE = Metric(
    "gauge",
    "gatekeeper_witnessed_age_seconds",
    "Seconds since the newest checkpoint with a witness was cosigned.",
    of=("seal", "witness"),
)
WITNESSED_ENTRIES = Metric(
    "gauge",
    "gatekeeper_witnessed_entries",
    "Entries under the newest checkpoint that a witness cosigned.",
    of=("seal", "witness"),
)
WITNESS_LOOK_AGE = Metric(
    "gauge",
    "gatekeeper_witness_look_age_seconds",
    "Seconds since this witness last found that the log only grew.",
    of=("witness",),
)
WEBHOOKS_WAITING = Metric(
    "gauge",
    "gatekeeper_webhooks_waiting",
    "Events that an endpoint has not taken, by type.",
    ("endpoint", "type"),
    ("webhooks",),
)
WEBHOOKS_OLDEST = Metric(
    "gauge",
    "gatekeeper_webhooks_oldest_seconds",
    "Age of the oldest event that waits for an endpoint.",
    ("endpoint",),
    ("webhooks",),
)
WEBHOOKS_DEAD = Metric(
    "gauge", "gatekeeper_webhooks_dead_letters", "Dead letters of an endpoint.", ("endpoint",), ("webhooks",)
)
WEBHOOKS_DELIVERED = Metric(
    "counter", "gatekeeper_webhooks_delivered", "Events that an endpoint took.", ("endpoint",), ("webhooks",)
)
WEBHOOKS_FAILED = Metric(
    "counter", "gatekeeper_webhooks_tries_failed", "Tries that an endpoint did not take.", ("endpoint",), ("webhooks",)
)

METRICS = tuple(metric for metric in list(globals().values()) if isinstance(metric, Metric))
"""All metrics, beside those of the process itself (`process_…`)."""
