"""Clients that others wrote, behind one face, so that one table of behaviours fits all of them."""

import asyncio
import json
import os
import queue
import shutil
import signal
import ssl
import subprocess
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import gmqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tests.waiting import PATIENCE_SECONDS

V3, V5 = 4, 5
_SESSION_SECONDS = 3600


@dataclass(frozen=True)
class Plan:
    """What a client shall do."""

    port: int
    version: int
    transport: str = "tcp"
    """tcp, tls or websocket."""
    authority: Path | None = None
    """The certificate of who vouches for the server."""
    username: str = ""
    password: str = ""
    client_id: str = field(default_factory=lambda: f"c-{uuid.uuid4().hex[:12]}")
    clean: bool = True
    will: tuple[str, str, int, bool] | None = None
    """Topic, payload, QoS, retain."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        if self.transport != "tls":
            return None
        return ssl.create_default_context(cafile=self.authority)

    @property
    def properties(self) -> Properties | None:
        """Of CONNECT, for paho's packets."""
        if self.version != V5 or self.clean:
            return None
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = _SESSION_SECONDS
        return properties


class Paho:
    """paho-mqtt, with threads."""

    transports = ("tcp", "tls", "websocket")

    def __init__(self, plan: Plan) -> None:
        transport = "websockets" if plan.transport == "websocket" else "tcp"
        clean = {"clean_session": plan.clean} if plan.version == V3 else {}
        self._client = client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            plan.client_id,
            protocol=paho.MQTTv5 if plan.version == V5 else paho.MQTTv311,
            transport=transport,
            **clean,
        )
        self._messages, self._answers = queue.Queue(), queue.Queue()
        client.on_connect = lambda _c, _u, flags, reason, _p: self._answers.put((flags, reason))
        client.on_subscribe = lambda _c, _u, _mid, reasons, _p: self._answers.put(reasons)
        client.on_message = lambda _c, _u, one: self._messages.put(
            (one.topic, one.payload.decode(), one.qos, bool(one.retain))
        )
        client.username_pw_set(plan.username, plan.password)
        if plan.tls is not None:
            client.tls_set_context(plan.tls)
        if plan.will is not None:
            topic, payload, qos, retain = plan.will
            client.will_set(topic, payload, qos, retain)
        start = {}
        if plan.version == V5:
            start = {"clean_start": plan.clean, "properties": plan.properties}
        client.connect("127.0.0.1", plan.port, **start)
        client.loop_start()
        flags, reason = self._answers.get(timeout=PATIENCE_SECONDS)
        assert reason == "Success"
        self.session_present = flags.session_present

    def subscribe(self, topic: str, qos: int) -> None:
        self._client.subscribe(topic, qos)
        assert self._answers.get(timeout=PATIENCE_SECONDS)[0].value == qos

    def publish(self, topic: str, payload: str, qos: int, *, retain: bool = False) -> None:
        """Returns once it is acknowledged."""
        sent = self._client.publish(topic, payload, qos, retain)
        sent.wait_for_publish(PATIENCE_SECONDS)
        assert sent.is_published()

    def message(self) -> tuple[str, str, int, bool]:
        return self._messages.get(timeout=PATIENCE_SECONDS)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def break_off(self) -> None:
        """As when the network fails."""
        self._client.socket().shutdown(2)
        self._client.loop_stop()
        self._client._sock_close()


class OnLoop:
    """A client that needs an event loop, which gets a thread."""

    transports: tuple[str, ...]
    session_present: bool | None = None

    def __init__(self, plan: Plan) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._messages: queue.Queue[tuple[str, str, int, bool]] = queue.Queue()
        self._run(self._connect(plan))

    def _run(self, work):
        async def limited():
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await work

        return asyncio.run_coroutine_threadsafe(limited(), self._loop).result()

    def _end_loop(self) -> None:
        async def idle():
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._run(idle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def message(self) -> tuple[str, str, int, bool]:
        return self._messages.get(timeout=PATIENCE_SECONDS)


class Aiomqtt(OnLoop):
    """aiomqtt."""

    transports = ("tcp", "tls", "websocket")

    async def _connect(self, plan: Plan) -> None:
        versions = {V3: aiomqtt.ProtocolVersion.V311, V5: aiomqtt.ProtocolVersion.V5}
        start = {"clean_session": plan.clean}
        if plan.version == V5:
            start = {"clean_start": plan.clean, "properties": plan.properties}
        will = None
        if plan.will is not None:
            will = aiomqtt.Will(*plan.will)
        self._client = aiomqtt.Client(
            "127.0.0.1",
            plan.port,
            username=plan.username,
            password=plan.password,
            identifier=plan.client_id,
            protocol=versions[plan.version],
            transport="websockets" if plan.transport == "websocket" else "tcp",
            tls_context=plan.tls,
            will=will,
            **start,
        )
        await self._client.__aenter__()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        async for one in self._client.messages:
            self._messages.put((str(one.topic), one.payload.decode(), one.qos, bool(one.retain)))

    def subscribe(self, topic: str, qos: int) -> None:
        self._run(self._client.subscribe(topic, qos))

    def publish(self, topic: str, payload: str, qos: int, *, retain: bool = False) -> None:
        """Returns once it is acknowledged."""
        self._run(self._client.publish(topic, payload, qos, retain))

    def leave(self) -> None:
        self._reading.cancel()
        self._run(self._client.__aexit__(None, None, None))
        self._end_loop()

    def break_off(self) -> None:
        """As when the network fails."""

        async def shut():
            self._client._client.socket().shutdown(2)  # the client has no call for it
            await asyncio.gather(self._reading, return_exceptions=True)

        self._run(shut())
        self._end_loop()


class Gmqtt(OnLoop):
    """gmqtt, which has no WebSocket."""

    transports = ("tcp", "tls")

    async def _connect(self, plan: Plan) -> None:
        more = {"session_expiry_interval": _SESSION_SECONDS} if not plan.clean else {}
        will = None
        if plan.will is not None:
            topic, payload, qos, retain = plan.will
            will = gmqtt.Message(topic, payload, qos, retain)
        self._client = client = gmqtt.Client(
            plan.client_id,
            plan.clean,
            will_message=will,
            **(more if plan.version == V5 else {}),
        )
        client.set_config({"reconnect_retries": 0})
        client.set_auth_credentials(plan.username, plan.password)
        self._granted = asyncio.Event()
        client.on_connect = self._connected
        client.on_subscribe = lambda *_: self._granted.set()
        client.on_message = self._on_message
        client.on_disconnect = lambda *_: None
        await client.connect("127.0.0.1", plan.port, ssl=plan.tls or False, version=plan.version)

    def _connected(self, _client, flags, _reason, _properties) -> None:
        self.session_present = bool(flags)

    def _on_message(self, _client, topic, payload, qos, properties) -> int:
        self._messages.put((topic, payload.decode(), qos, bool(properties["retain"])))
        return 0

    def subscribe(self, topic: str, qos: int) -> None:
        async def subscribe():
            self._granted.clear()
            self._client.subscribe(topic, qos)
            await self._granted.wait()

        self._run(subscribe())

    def publish(self, topic: str, payload: str, qos: int, *, retain: bool = False) -> None:
        """Returns once it is acknowledged."""

        async def publish():
            self._client.publish(topic, payload, qos, retain)
            await self._client._persistent_storage.wait_empty()

        self._run(publish())

    def leave(self) -> None:
        self._run(self._client.disconnect())
        self._end_loop()

    def break_off(self) -> None:
        """As when the network fails."""

        async def abort():
            self._client.stop_reconnect()
            self._client._connection._transport.abort()

        self._run(abort())
        self._end_loop()


class Mosquitto:
    """mosquitto_pub and mosquitto_sub: a process for each message and each subscription.

    Version 2.0 of them has no WebSocket.
    """

    transports = ("tcp", "tls")
    session_present = None

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._listening: subprocess.Popen[str] | None = None

    def _options(self, client_id: str) -> list[str]:
        plan = self._plan
        options = ["-p", str(plan.port), "-i", client_id, "-u", plan.username, "-P", plan.password]
        options += ["-V", "mqttv5" if plan.version == V5 else "mqttv311"]
        if plan.transport == "tls":
            options += ["--cafile", str(plan.authority)]
        return options

    def subscribe(self, topic: str, qos: int) -> None:
        plan = self._plan
        options = [*self._options(plan.client_id), "-d", "-F", "MESSAGE %q %r %t %p"]
        if not plan.clean:
            options += ["-c", *(["-x", str(_SESSION_SECONDS)] if plan.version == V5 else [])]
        if plan.will is not None:
            will_topic, payload, will_qos, retain = plan.will
            options += ["--will-topic", will_topic, "--will-payload", payload]
            options += ["--will-qos", str(will_qos), *(["--will-retain"] if retain else [])]
        self._listening = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_sub", *options, "-t", topic, "-q", str(qos)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(self._listening.stdout,))
        self._reader.start()
        self._early: list[str] = []
        while not (line := self._lines.get(timeout=PATIENCE_SECONDS)).startswith("Subscribed"):
            if line.startswith("MESSAGE"):  # a session's messages come before SUBACK
                self._early.append(line)

    def _read(self, lines) -> None:
        with lines:
            for line in lines:
                self._lines.put(line.rstrip("\n"))

    def publish(self, topic: str, payload: str, qos: int, *, retain: bool = False) -> None:
        """Returns once it is acknowledged."""
        options = self._options(f"{self._plan.client_id}-out")
        options += ["-t", topic, "-m", payload, "-q", str(qos), *(["-r"] if retain else [])]
        subprocess.run(["mosquitto_pub", *options], check=True, timeout=PATIENCE_SECONDS)

    def message(self) -> tuple[str, str, int, bool]:
        while True:
            line = self._early.pop(0) if self._early else self._lines.get(timeout=PATIENCE_SECONDS)
            if line.startswith("MESSAGE"):
                _, qos, retain, topic, payload = line.split(" ", 4)
                return topic, payload, int(qos), retain == "1"

    def _end(self, number: signal.Signals) -> None:
        if self._listening is not None:
            self._listening.send_signal(number)
            self._listening.wait(PATIENCE_SECONDS)
            self._reader.join()

    def leave(self) -> None:
        self._end(signal.SIGTERM)

    def break_off(self) -> None:
        """As when the network fails."""
        self._end(signal.SIGKILL)


_SCRIPT = """
const [options, url] = JSON.parse(process.argv[2]);
if (options.ca) options.ca = require("fs").readFileSync(options.ca);
const tell = (event, value) => process.stdout.write(JSON.stringify([event, value]) + "\\n");
const client = require("mqtt").connect(url, options);
client.on("connect", (packet) => tell("connected", packet.sessionPresent));
client.on("message", (topic, payload, packet) =>
  tell("message", [topic, payload.toString(), packet.qos, packet.retain]));
client.on("error", (error) => tell("error", String(error)));
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [what, ...given] = JSON.parse(line);
  const done = (error, granted) =>
    error ? tell("error", String(error)) : tell("done", what === "subscribe" ? granted[0].qos : 0);
  if (what === "end") client.end(false, {}, () => process.exit(0));
  else client[what](...given, done);
});
"""


class MqttJs:
    """MQTT.js, in a process of node's."""

    transports = ("tcp", "tls", "websocket")

    home: Path
    """Where the package is installed; set by the fixture that did."""

    def __init__(self, plan: Plan) -> None:
        scheme = {"tcp": "mqtt", "tls": "mqtts", "websocket": "ws"}[plan.transport]
        options = {
            "protocolVersion": plan.version,
            "clientId": plan.client_id,
            "clean": plan.clean,
            "username": plan.username,
            "password": plan.password,
            "reconnectPeriod": 0,
            "ca": str(plan.authority) if plan.transport == "tls" else None,
        }
        if plan.version == V5 and not plan.clean:
            options["properties"] = {"sessionExpiryInterval": _SESSION_SECONDS}
        if plan.will is not None:
            names = ("topic", "payload", "qos", "retain")
            options["will"] = dict(zip(names, plan.will, strict=True))
        path = "/mqtt" if plan.transport == "websocket" else ""
        url = f"{scheme}://localhost:{plan.port}{path}"
        script = self.home / "client.cjs"
        script.write_text(_SCRIPT)
        self._process = subprocess.Popen(
            ["node", str(script), json.dumps([options, url])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.home,
        )
        self._answers: queue.Queue[tuple[str, object]] = queue.Queue()
        self._messages: queue.Queue[tuple[str, str, int, bool]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.session_present = self._answer("connected")

    def _read(self) -> None:
        with self._process.stdout as lines:
            for line in lines:
                event, value = json.loads(line)
                if event == "message":
                    self._messages.put(tuple(value))
                else:
                    self._answers.put((event, value))

    def _answer(self, wanted: str):
        event, value = self._answers.get(timeout=PATIENCE_SECONDS)
        assert event == wanted, value
        return value

    def _ask(self, *command: object):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer("done")

    def subscribe(self, topic: str, qos: int) -> None:
        assert self._ask("subscribe", topic, {"qos": qos}) == qos

    def publish(self, topic: str, payload: str, qos: int, *, retain: bool = False) -> None:
        """Returns once it is acknowledged."""
        self._ask("publish", topic, payload, {"qos": qos, "retain": retain})

    def message(self) -> tuple[str, str, int, bool]:
        return self._messages.get(timeout=PATIENCE_SECONDS)

    def leave(self) -> None:
        self._process.stdin.write('["end"]\n')
        self._process.stdin.close()
        assert self._process.wait(PATIENCE_SECONDS) == 0
        self._reader.join()

    def break_off(self) -> None:
        """As when the network fails."""
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)
        self._process.stdin.close()
        self._reader.join()


CLIENTS = {
    "paho": Paho,
    "aiomqtt": Aiomqtt,
    "gmqtt": Gmqtt,
    "mosquitto": Mosquitto,
    "mqtt.js": MqttJs,
}


def missing(client: str) -> str | None:
    """Why a client cannot be had on this machine, or None."""
    if client == "mosquitto" and shutil.which("mosquitto_sub") is None:
        return "mosquitto's clients are not installed (Debian: mosquitto-clients)"
    if client == "mqtt.js" and (shutil.which("npm") is None or shutil.which("node") is None):
        return "npm is not installed: MQTT.js cannot be had"
    return None


def install_mqtt_js(home: Path) -> str | None:
    """Fetch MQTT.js with npm; why it could not be had, or None."""
    MqttJs.home = home
    try:
        subprocess.run(
            ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "mqtt@5"],
            cwd=home,
            check=True,
            capture_output=True,
            timeout=280,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        if os.environ.get("CI"):
            raise
        return "MQTT.js cannot be fetched from the npm registry"
    return None
