"""What may pass: one module per policy. A call meets them in this order.

1. `access`: what the caller's key is limited to decides what there is at all.
2. `rate_limit`: how many calls of a key, a project, and how many new sessions are taken.
3. the timeout of a call, and
4. the breaker of a server, both where the call is made.

Roles are asked for before the third. A call that is refused is recorded like any other.
"""
