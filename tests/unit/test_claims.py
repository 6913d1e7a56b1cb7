"""The claims of a partition's ledger: the last one in the log's order owns the partition."""

from gatekeeper.ledger.claims import Claims, claim, unclaimed
from gatekeeper.ledger.head import HEAD


def test_given_claims_then_the_last_one_owns_and_all_are_named():
    claims = Claims()
    assert claims.last is None
    for name in ("group-a-1", "group-b-2", "group-a-1"):
        assert claims.take(*claim(name))
    assert (claims.last, list(claims)) == ("group-a-1", ["group-b-2", "group-a-1"])


def test_given_a_claim_that_is_deleted_then_it_names_nobody():
    claims = Claims()
    claims.take(*claim("group-a-1"))
    claims.take(*unclaimed("group-never"))
    assert claims.take(*unclaimed("group-a-1"))
    assert (claims.last, list(claims)) == (None, [])


def test_given_any_other_entry_then_it_is_no_claim():
    assert not Claims().take(HEAD, b"{}")
    assert not Claims().take(b"clear/R-1/K-1/postal", None)
