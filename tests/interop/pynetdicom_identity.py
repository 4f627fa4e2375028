"""User identity with pynetdicom's library, for the Python that has it: `scp`, or `scu HOST PORT` and the identity.

The SCP prints `port N`, then a line of JSON for each identity that it has to verify. It accepts the user alice with the password
sesame, and every token. The SCU prints one line. It says whether the association was accepted, rejected or something else, and
whether the identity was answered.
"""

from __future__ import annotations

import argparse
import json
import threading

from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.sop_class import Verification


def serve() -> None:
    """Verify identities until killed."""

    def verify(event: evt.Event) -> tuple[bool, bytes]:
        said = [event.user_id_type, event.primary_field.hex(), (event.secondary_field or b"").hex()]
        print(json.dumps(said), flush=True)
        return (
            event.user_id_type > 2 or event.secondary_field == b"sesame",
            b"answer" if event.user_id_type > 2 else b"",
        )

    entity = AE(ae_title="PYNETDICOM")
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_USER_ID, verify)])
    print("port", server.socket.getsockname()[1], flush=True)
    threading.Event().wait()


def ask(host: str, port: int, identity_type: int, primary: bytes, secondary: bytes, respond: bool) -> None:
    """Request one association, and say what came of it."""
    identity = UserIdentityNegotiation()
    identity.user_identity_type = identity_type
    identity.positive_response_requested = respond
    identity.primary_field = primary
    identity.secondary_field = secondary or None
    entity = AE()
    entity.add_requested_context(Verification)
    association = entity.associate(host, port, ext_neg=[identity])
    answers = [item for item in association.acceptor.user_information if isinstance(item, UserIdentityNegotiation)]
    answered = answers[0].server_response.hex() if answers and answers[0].server_response is not None else None
    if association.is_established:
        print(json.dumps(["accepted", int(association.send_c_echo().Status), answered]))
        association.release()
    else:
        rejected = association.acceptor.primitive
        print(json.dumps(["rejected" if association.is_rejected else "else", rejected and rejected.result, answered]))


def main() -> None:
    """Be the SCP or the SCU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("scp", "scu"))
    parser.add_argument("host", nargs="?")
    parser.add_argument("port", nargs="?", type=int)
    parser.add_argument("--type", type=int, default=2)
    parser.add_argument("--primary", default="alice")
    parser.add_argument("--secondary", default="")
    parser.add_argument("--respond", action="store_true")
    given = parser.parse_args()
    if given.role == "scp":
        serve()
    else:
        ask(given.host, given.port, given.type, given.primary.encode(), given.secondary.encode(), given.respond)


if __name__ == "__main__":
    main()
