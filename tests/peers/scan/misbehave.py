#!/usr/bin/env python3
"""Talks to a TLS listener as no client should, and tells what it heard.

    misbehave.py ADDRESS PORT NAME

A line for each conversation: what was wrong, what the specification wants to be heard, what was. Those of a hello are bytes
made here; those behind a handshake go over tlslite-ng, which has to be importable. What stands behind the listener answers a
line with a line. The exit status is 1 when anything else was heard than is wanted.
"""

import os
import socket
import struct
import sys
from contextlib import contextmanager

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import ContentType
from tlslite.errors import BaseTLSException, TLSAbruptCloseError, TLSRemoteAlert
from tlslite.messages import Finished, Message

PATIENCE = 20  # seconds

ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 47: "illegal_parameter", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
    70: "protocol_version", 71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback",
    90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension", 110: "unsupported_extension",
    112: "unrecognized_name", 115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
}


# The bytes of a hello

def vector(width, data):
    """Data with its length in front, which takes so many bytes."""
    return len(data).to_bytes(width, "big") + data


def extension(number, data):
    return struct.pack("!H", number) + vector(2, data)


def server_name(name):
    return extension(0, vector(2, b"\0" + vector(2, name.encode())))


X25519, P256 = b"\x00\x1d", b"\x00\x17"
TLS12, TLS13 = b"\x03\x03", b"\x03\x04"
SCHEMES = b"".join(bytes.fromhex(scheme) for scheme in ("0403", "0804", "0805", "0806", "0401", "0501", "0503"))
SUITES_13 = bytes.fromhex("130113021303")
SUITES_12 = bytes.fromhex("c02bc02fc02cc030cca9cca8")


def point():
    # Every 32 bytes are a key of X25519; this one is an ordinary one.
    return b"\x09" + os.urandom(30) + b"\x40"


def extensions(name, versions=(TLS13, TLS12), groups=X25519 + P256, shares=None, schemes=SCHEMES):
    """The extensions of a good hello, by their numbers. What is None is left out."""
    shares = {X25519: point()} if shares is None else shares
    all_of_them = {
        0: server_name(name),
        10: groups and extension(10, vector(2, groups)),
        11: extension(11, b"\x01\x00"),
        13: schemes and extension(13, vector(2, schemes)),
        23: extension(23, b""),
        43: versions and extension(43, vector(1, b"".join(versions))),
        45: extension(45, b"\x01\x01"),
        51: shares and extension(51, vector(2, b"".join(group + vector(2, share) for group, share in shares.items()))),
    }
    return {number: data for number, data in all_of_them.items() if data}


def hello(parts, suites=SUITES_13 + SUITES_12, compression=b"\x00", session_id=b"", version=TLS12, random=None):
    """A ClientHello as a handshake message."""
    parts = parts.values() if isinstance(parts, dict) else parts
    body = version + (random or os.urandom(32)) + vector(1, session_id) + vector(2, suites) + vector(1, compression)
    body += vector(2, b"".join(parts))
    return b"\x01" + vector(3, body)


def record(kind, data, version=b"\x03\x01"):
    return bytes([kind]) + version + vector(2, data)


def records(message, size=2**14):
    pieces = [message[start:start + size] for start in range(0, len(message), size)]
    return b"".join(record(22, piece) for piece in pieces)


# What is heard

class Talk:
    """A connection, and what came of it."""

    def __init__(self, address, port, name):
        self.name = name
        self.socket = socket.create_connection((address, port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # that it was cut off is heard

    def exactly(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                return None
            data += more
        return data

    def next_record(self):
        head = self.exactly(5)
        if head is None:
            return None, b""
        return head[0], self.exactly(struct.unpack("!H", head[3:])[0]) or b""

    def hear(self):
        """The first thing that comes back in the clear."""
        try:
            kind, data = self.next_record()
        except ConnectionResetError:
            return "reset"
        except socket.timeout:
            return "silence"
        if kind is None:
            return "close"
        if kind == 21 and len(data) == 2:
            return ALERTS.get(data[1], f"alert {data[1]}")
        return {2: "hello"}.get(data[0], "handshake") if kind == 22 else f"record {kind}"

    @contextmanager
    def handshaken(self, version, **settings):
        """A session of tlslite-ng over it, which has heard an answer."""
        chosen = HandshakeSettings()
        chosen.minVersion = chosen.maxVersion = version
        for key, value in settings.items():
            setattr(chosen, key, value)
        session = TLSConnection(self.socket)
        session.closeSocket = False
        session.ignoreAbruptClose = False
        session.handshakeClientCert(settings=chosen, serverName=self.name)
        session.write(b"hello\n")
        assert session.read(max=6, min=6) == b"hello\n", "what stands behind the listener does not answer a line with itself"
        yield session

    @staticmethod
    def answer(session):
        """The first thing that comes back over a session."""
        try:
            data = session.read(max=1, min=1)
        except TLSRemoteAlert as alert:
            return ALERTS.get(alert.description, f"alert {alert.description}")
        except TLSAbruptCloseError:
            return "close"
        except ConnectionResetError:
            return "reset"
        except socket.timeout:
            return "silence"
        except BaseTLSException as error:
            return f"{type(error).__name__}: {error}"
        return "answer" if data else "close_notify"


def send(session, kind, data):
    """Sends a record of the session's, whatever is in it."""
    for _ in session._recordLayer.sendRecord(Message(kind, bytearray(data))):
        pass


# The conversations

CONVERSATIONS = []
CLOSED = {"close", "reset"}


def add(what, wanted, conversation):
    """One more conversation, in which one of these is to be heard."""
    CONVERSATIONS.append((what, frozenset(wanted), conversation))


def of_a_hello(make):
    """A conversation in which only the hello is sent."""
    def conversation(talk):
        talk.say(make(talk.name))
        return talk.hear()
    return conversation


def changed(**changes):
    fields = ("suites", "compression", "session_id", "version")
    own = {key: changes.pop(key) for key in fields if key in changes}
    return lambda name: records(hello(extensions(name, **changes), **own))


def without(number, version=TLS12, **changes):
    return lambda name: records(hello({key: data for key, data in extensions(name, **changes).items() if key != number}, version=version))


def with_more(*more, first=(), **changes):
    return lambda name: records(hello([*first, *extensions(name, **changes).values(), *more]))


GREASE = b"\x0a\x0a"
HELLOS = [
    ("a good hello", {"hello"}, changed()),
    ("a good hello of TLS 1.2", {"hello"}, without(43, shares={})),
    ("a hello in records of one byte", {"hello"}, lambda name: records(hello(extensions(name)), 1)),
    ("GREASE as suite, group, version and extension", {"hello"}, lambda name: records(hello(
        [extension(0x0a0a, b""), *extensions(name, versions=(GREASE, TLS13), groups=GREASE + X25519).values()], suites=GREASE + SUITES_13))),
    ("an extension that nobody knows, of 12,000 bytes", {"hello"}, with_more(extension(0x5a5f, bytes(12000)))),
    ("only TLS 1.1", {"protocol_version"}, without(43, shares={}, version=b"\x03\x02")),
    ("only TLS 1.1, by supported_versions", {"protocol_version"}, changed(versions=(b"\x03\x02",))),
    ("SSL 3.0", {"protocol_version", "decode_error", "handshake_failure"}, lambda name: records(hello([server_name(name)], version=b"\x03\x00", suites=b"\x00\x05"))),
    ("a hello of SSL 2", CLOSED, lambda name: bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0") + bytes(16)),
    ("no cipher suite in common", {"handshake_failure"}, changed(suites=b"\x00\x2f\x00\x35")),
    ("no cipher suite at all", {"decode_error", "illegal_parameter", "handshake_failure"}, changed(suites=b"")),
    ("cipher suites of an odd length", {"decode_error"}, changed(suites=SUITES_13 + b"\x00")),
    ("no null compression", {"illegal_parameter", "decode_error"}, changed(compression=b"\x01")),
    ("no compression method at all", {"illegal_parameter", "decode_error"}, changed(compression=b"")),
    ("a session id of 33 bytes", {"decode_error", "illegal_parameter"}, changed(session_id=bytes(33))),
    ("no signature algorithms", {"missing_extension"}, without(13)),
    ("TLS 1.2, no signature algorithm in common", {"handshake_failure"}, without(43, shares={}, schemes=b"\x02\x01")),
    ("no groups", {"missing_extension"}, without(10)),
    ("no key shares", {"missing_extension"}, without(51)),
    ("no group in common", {"handshake_failure"}, changed(groups=b"\x6a\x6a", shares={b"\x6a\x6a": bytes(32)})),
    ("a key share of a group that is not offered", {"illegal_parameter"}, changed(groups=P256, shares={X25519: point()})),
    ("two key shares of one group", {"illegal_parameter"}, lambda name: records(hello(
        {**extensions(name), 51: extension(51, vector(2, 2 * (X25519 + vector(2, point()))))}))),
    ("an X25519 share of 31 bytes", {"illegal_parameter", "decode_error"}, changed(shares={X25519: bytes(31)})),
    ("an X25519 share of zeros", {"illegal_parameter"}, changed(shares={X25519: bytes(32)})),
    ("a P-256 share that is no point of the curve", {"illegal_parameter"}, changed(groups=P256, shares={P256: b"\x04" + b"\x01" * 64})),
    ("a P-256 share in compressed form", {"illegal_parameter", "decode_error"}, changed(groups=P256, shares={P256: b"\x02" + b"\x01" * 32})),
    ("an extension twice", {"decode_error", "illegal_parameter"}, with_more(extension(23, b""))),
    ("two names", {"decode_error", "illegal_parameter"}, lambda name: records(hello(
        {**extensions(name), 0: extension(0, vector(2, 2 * (b"\0" + vector(2, name.encode()))))}))),
    ("an empty name", {"decode_error", "illegal_parameter"}, lambda name: records(hello(
        {**extensions(name), 0: extension(0, vector(2, b"\0\0\0"))}))),
    ("a name that ends in a zero byte", {"decode_error", "illegal_parameter"}, lambda name: records(hello(
        {**extensions(name), 0: server_name(name + "\0")}))),
    ("an ALPN list that is empty", {"decode_error", "illegal_parameter"}, with_more(extension(16, b"\0\0"))),
    ("an ALPN protocol that is empty", {"decode_error", "illegal_parameter"}, with_more(extension(16, vector(2, b"\0")))),
    ("TLS 1.2, ALPN without anything in common", {"no_application_protocol"}, lambda name: records(hello(
        [*extensions(name, versions=None, shares={}).values(), extension(16, vector(2, vector(1, b"nothing")))]))),
    ("pre_shared_key in front of other extensions", {"illegal_parameter", "decode_error"}, with_more(
        first=[extension(41, vector(2, vector(2, bytes(32)) + bytes(4)) + vector(2, vector(1, bytes(32))))])),
    ("pre_shared_key without psk_key_exchange_modes", {"missing_extension", "illegal_parameter"}, lambda name: records(hello(
        [data for key, data in extensions(name).items() if key != 45]
        + [extension(41, vector(2, vector(2, bytes(32)) + bytes(4)) + vector(2, vector(1, bytes(32))))]))),
    ("pre_shared_key with fewer binders than identities", {"illegal_parameter", "decode_error"}, with_more(
        extension(41, vector(2, 2 * (vector(2, bytes(32)) + bytes(4))) + vector(2, vector(1, bytes(32)))))),
    ("a ticket that is nonsense", {"hello"}, with_more(
        extension(41, vector(2, vector(2, bytes(200)) + bytes(4)) + vector(2, vector(1, bytes(32)))))),
    ("extensions longer than the hello", {"decode_error"}, lambda name: records(hello(
        [*extensions(name).values(), struct.pack("!HH", 0x5a5f, 9)]))),
    ("bytes behind the extensions", {"decode_error"}, lambda name: (
        lambda body: records(b"\x01" + vector(3, body + b"\0")))(hello(extensions(name))[4:])),
    ("a record of 2^14 + 1 bytes", {"record_overflow", "decode_error"}, lambda name: record(22, hello(
        [*extensions(name).values(), extension(0x5a5f, bytes(16384 - 400))]) + bytes(400))),
    ("a record without a byte before the hello", {"unexpected_message", "decode_error"}, lambda name: record(22, b"") + records(hello(extensions(name)))),
    ("a change_cipher_spec before the hello", CLOSED | {"unexpected_message", "decode_error"}, lambda name: record(20, b"\x01") + records(hello(extensions(name)))),
    ("a change_cipher_spec amid the hello", {"unexpected_message", "decode_error"}, lambda name: (
        lambda message: record(22, message[:50]) + record(20, b"\x01") + record(22, message[50:]))(hello(extensions(name)))),
    ("application data amid the hello", {"unexpected_message", "decode_error"}, lambda name: (
        lambda message: record(22, message[:50]) + record(23, b"now") + record(22, message[50:]))(hello(extensions(name)))),
    ("an alert in place of a hello", CLOSED, lambda name: record(21, b"\x02\x28")),
    ("a ServerHello in place of a hello", CLOSED | {"unexpected_message", "decode_error"}, lambda name: records(b"\x02" + hello(extensions(name))[1:])),
    ("plain HTTP", CLOSED, lambda name: f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()),
    ("the name of a stranger", {"unrecognized_name"}, lambda name: records(hello(extensions("stranger.invalid")))),
    ("no name", {"unrecognized_name"}, without(0)),
]
for described, heard_at_best, maker in HELLOS:
    add(described, heard_at_best, of_a_hello(maker))


def retried(what, wanted, change):
    """A conversation in which the first hello has no share, and the second has one and maybe more that is new."""
    def conversation(talk):
        random = os.urandom(32)
        first = {**extensions(talk.name), 51: extension(51, vector(2, b""))}
        talk.say(records(hello(first, random=random)))
        heard = talk.hear()
        if heard != "hello":
            return f"no HelloRetryRequest but {heard}"
        second = {**first, 51: extension(51, vector(2, X25519 + vector(2, point())))}
        talk.say(records(change(talk.name, second, random)))
        heard = talk.hear()
        return talk.hear() if heard == "record 20" else heard
    add(what, wanted, conversation)


retried("a second hello as it was asked for", {"hello"}, lambda name, second, random: hello(second, random=random))
retried("a second hello with another name", {"illegal_parameter"}, lambda name, second, random: hello(
    {**second, 0: server_name("other." + name)}, random=random))
retried("a second hello without the name", {"illegal_parameter"}, lambda name, second, random: hello(
    {key: data for key, data in second.items() if key != 0}, random=random))
retried("a second hello without a share again", {"illegal_parameter"}, lambda name, second, random: hello(
    {**second, 51: extension(51, vector(2, b""))}, random=random))
retried("a second hello with other cipher suites", {"illegal_parameter"}, lambda name, second, random: hello(
    second, suites=b"\x13\x03", random=random))


def over(version, what, wanted, misbehave):
    """A conversation over a session that has been agreed on."""
    def conversation(talk):
        with talk.handshaken(version) as session:
            try:
                misbehave(talk, session)
            except (BrokenPipeError, ConnectionResetError):
                pass  # why it was cut off is heard
            return talk.answer(session)
    add(f"TLS 1.{version[1] - 1}: {what}", wanted, conversation)


def wrong_finished(version):
    """A conversation whose handshake ends in a Finished with one bit changed."""
    def conversation(talk):
        whole = Finished.create
        Finished.create = lambda self, data: whole(self, bytearray([data[0] ^ 1]) + bytearray(data[1:]))
        try:
            with talk.handshaken(version):
                return "answer"
        except TLSRemoteAlert as alert:
            return ALERTS.get(alert.description, f"alert {alert.description}")
        finally:
            Finished.create = whole
    add(f"TLS 1.{version[1] - 1}: a Finished that is wrong", {"decrypt_error"}, conversation)


def alert(level, number):
    return lambda talk, session: send(session, ContentType.alert, bytes([level, number]))


def message(data):
    return lambda talk, session: send(session, ContentType.handshake, data)


def raw(data):
    return lambda talk, session: talk.say(data)


def many_then_a_line(count, kind, data):
    def misbehave(talk, session):
        for _ in range(count):
            send(session, kind, data)
        session.write(b"again\n")
    return misbehave


def key_update_then_a_line(talk, session):
    for _ in session.send_keyupdate_request(1):
        pass
    session.write(b"again\n")


def hello_again(talk, session):
    send(session, ContentType.handshake, hello(extensions(talk.name)))


TLS_1_3, TLS_1_2 = (3, 4), (3, 3)
for each in (TLS_1_3, TLS_1_2):
    over(each, "one more line", {"answer"}, lambda talk, session: session.write(b"again\n"))
    over(each, "a record with a wrong MAC", {"bad_record_mac"}, raw(record(23, os.urandom(64), TLS12)))
    over(each, "a record that is too short to be one", {"bad_record_mac", "decode_error"}, raw(record(23, bytes(4), TLS12)))
    over(each, "a record of 2^14 + 2,100 bytes", {"record_overflow"}, raw(record(23, bytes(2**14 + 2100), TLS12)))
    over(each, "a handshake message of an unknown type", {"unexpected_message", "decode_error"}, message(b"\x63\0\0\0"))
    over(each, "a fatal alert", CLOSED | {"close_notify"}, alert(2, 80))
    over(each, "an alert of one byte", {"decode_error"}, lambda talk, session: send(session, ContentType.alert, b"\x01"))
    over(each, "close_notify", {"close_notify"}, alert(1, 0))
    over(each, "twenty warnings, then a line", {"answer", "unexpected_message"} | CLOSED,
         many_then_a_line(20, ContentType.alert, b"\x01\x5a"))
    over(each, "a thousand empty records, then a line", {"answer", "unexpected_message"} | CLOSED,
         many_then_a_line(1000, ContentType.application_data, b""))
    wrong_finished(each)

over(TLS_1_2, "renegotiation", {"no_renegotiation", "handshake_failure", "unexpected_message"}, lambda talk, session: send(
    session, ContentType.handshake, hello({
        **extensions(talk.name, versions=None, shares={}), 0xff01: extension(0xff01, vector(1, bytes(12)))}, suites=SUITES_12)))
over(TLS_1_3, "a KeyUpdate, then a line", {"answer"}, key_update_then_a_line)
over(TLS_1_3, "a KeyUpdate that asks for what there is not", {"illegal_parameter", "decode_error"}, message(b"\x18\0\0\1\2"))
over(TLS_1_3, "a KeyUpdate of two bytes", {"decode_error"}, message(b"\x18\0\0\2\0\0"))
over(TLS_1_3, "a NewSessionTicket of a client", {"unexpected_message"}, message(
    b"\x04" + vector(3, bytes(8) + vector(1, b"\0") + vector(2, bytes(16)) + b"\0\0")))
over(TLS_1_3, "a hello amid the session", {"unexpected_message"}, hello_again)
over(TLS_1_3, "a change_cipher_spec amid the session", {"unexpected_message"}, raw(record(20, b"\x01", TLS12)))
over(TLS_1_3, "a record in the clear amid the session", {"unexpected_message", "bad_record_mac", "decode_error"},
     raw(record(22, b"\x01\0\0\0", TLS12)))


def main():
    address, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    unexpected = 0
    for what, wanted, conversation in CONVERSATIONS:
        talk = Talk(address, port, name)
        try:
            heard = conversation(talk)
        except (BaseTLSException, OSError, AssertionError) as error:
            heard = f"{type(error).__name__}: {error}"
        finally:
            talk.socket.close()
        unexpected += heard not in wanted
        print("\t".join(["ok" if heard in wanted else "NOT OK", what, " or ".join(sorted(wanted)), heard]), flush=True)
    sys.exit(1 if unexpected else 0)


if __name__ == "__main__":
    main()
