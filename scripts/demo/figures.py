"""Figures of a night: what was read, and how the table of dossiers came from yesterday's to today's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

EXPLANATION = """\
A line is a night: at four o'clock one run of the DAG brings into the warehouse what the service shows then.
  read        dossiers that the run read: the first night all, then those that changed, and a few to refresh
  yesterday   dossiers in the table `dossiers` before the run …
  + new         … deposited since then …
  - erased      … deleted for good on the service since then, two weeks after they were hidden or expired …
  = today       … and so the dossiers in the table after the run
  pending     of these, hidden on the service by their usager or an instructeur, who may bring them back
  vanished    of these, expired: in none of the service's lists, until it deletes them two weeks later
  drift       dossiers that the tables show otherwise than the service: missing, left over, in another group, state or
              list, or changed at another second. It is counted each night, dossier by dossier, from the sandbox's own
              memory, past the API and Airflow. 0: the tables say what the service does. An expired dossier counts
              until the DAG's reconciliation finds it, once in seven nights.
"""
HEADING = "night           read  yesterday  + new  - erased  = today   pending  vanished   drift"


@dataclass(frozen=True)
class Figures:
    """Figures of one night.

    :ivar read: how many dossiers the run read.
    :ivar before: the numbers in the table of dossiers before the run, and ``after`` those after it.
    """

    night: datetime
    read: int
    before: frozenset[int]
    after: frozenset[int]
    pending: int
    vanished: int
    drift: int

    def __str__(self) -> str:
        before, after = len(self.before), len(self.after)
        new, erased = len(self.after - self.before), len(self.before - self.after)
        return (
            f"{self.night:%a %Y-%m-%d} {self.read:>5}  {before:>9}  {new:>5}  {erased:>8}  {after:>7}"
            f"   {self.pending:>7}  {self.vanished:>8}   {self.drift:>5}"
        )


def progress(day: int, days: int, last_seconds: float) -> str:
    """Say how far the demo is, and about how long the rest takes if each day takes as long as the last."""
    left = (days - day) * last_seconds
    return f"day {day} of {days}" + (f", {about(left)} left" if left else "")


def about(seconds: float) -> str:
    """Return a duration as a person says it."""
    if seconds < 20:
        return "a few seconds"
    if seconds < 45:
        return "about half a minute"
    if seconds < 75:
        return "about a minute"
    if seconds < 105:
        return "about a minute and a half"
    return f"about {round(seconds / 60)} minutes"
