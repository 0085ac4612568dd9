"""What the page lists of /admin is what /admin takes."""

import pytest

from support.admin_pages import BODIES, NESTED, documents_of, fields_of
from support.wire import make_wired

WITH_BODY = [(request, bodies[0]) for request, (_, bodies) in BODIES.items() if len(bodies) == 1]
OF_ONE_BODY = {request for request, _ in WITH_BODY}


def test_every_request_is_listed_and_no_other() -> None:
    known = make_wired().admin("POST", "nothing").json["error"].partition("there are ")[2].split(", ")
    assert sorted(each.replace("/admin/", "") for each in known) == sorted(BODIES)


@pytest.mark.parametrize("request_name", sorted(OF_ONE_BODY))
def test_a_field_that_is_not_listed_is_refused_with_those_that_are(request_name: str) -> None:
    method, name = request_name.split(" ")
    body = dict(WITH_BODY)[request_name]
    required = {"fault": "reject"} if name == "faults" else {"fault": "lose"} if name == "faults/streams" else {}
    reply = make_wired().admin(method, name, notAField=1, **required)
    assert reply.status == 400
    assert reply.json["error"].endswith("allowed are " + ", ".join(field.name for field in fields_of(body)))


@pytest.mark.parametrize("body", [body for _, body in WITH_BODY] + list(NESTED), ids=lambda body: body.__name__)
def test_every_field_is_explained(body: type) -> None:
    assert not [field.name for field in fields_of(body) if not documents_of(body).get(field.name)]
