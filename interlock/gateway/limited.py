"""What an endpoint shows to a caller who sees some servers and tools only: a view like any other.

It is merged anew from what the caller may see, so that neither names nor marks, capabilities,
instructions or failures tell of the rest, and what uses a view needs to know nothing of limits.
"""

from dataclasses import replace
from typing import Final

from interlock.gateway.aggregation import overlaid
from interlock.gateway.table import ProjectEntry, View, no_server
from interlock.identity.limits import Access
from interlock.policy.access import may_see

MAX_KEPT: Final = 1000  # limited views of one view


def limited(project: ProjectEntry, view: View, access: Access | None) -> View:
    """Return what is left of a project's view; it is made once for equal limits.

    Raises NotFound for the view of a server that the caller does not see.
    """
    if access is None:
        return view
    known = view.limited.get(access)
    if known is not None:
        return known
    if view.is_single and not may_see(access, view.name):
        raise no_server(view.name)
    servers = tuple(each for each in view.servers if may_see(access, each.name))
    made = overlaid(project, replace(view, servers=servers, access=access), {})
    # A list that is not for everybody must not come to others out of a shared cache.
    made = replace(made, is_private=True)
    if len(view.limited) >= MAX_KEPT:
        view.limited.clear()
    view.limited[access] = made
    return made
