"""Loaded by Locust beside a Locust file: ends the load when every kind of request was made."""

import os
from collections import Counter

import gevent.event
from locust import events

_NAMES = set(os.environ["LOAD_NAMES"].split("|"))
_LEAST_REQUESTS = 150
_asked = Counter()


@events.init.add_listener
def _end_when_all_was_asked(environment, **_):
    enough = gevent.event.Event()

    @environment.events.request.add_listener
    def _count(name, **_):
        _asked[name] += 1
        if _asked.keys() >= _NAMES and _asked.total() >= _LEAST_REQUESTS:
            enough.set()

    @environment.events.test_start.add_listener
    def _end(**_):
        gevent.spawn(lambda: (enough.wait(), environment.runner.quit()))
