"""What a schema cannot say about valid requests."""

import schemathesis


@schemathesis.hook
def map_case(context, case):
    """A cursor is opaque and comes from the page before: one that was made up is refused, whatever it looks like."""
    if case.meta is not None and case.meta.generation.mode.is_positive and case.query:
        case.query.pop("cursor", None)
    return case
