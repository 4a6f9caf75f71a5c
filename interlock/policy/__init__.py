"""What may pass: one module per policy. A call meets them in this order.

1. `access`: what the caller's key is limited to decides what there is at all.
2. `rate_limit`: how many calls of a key, a project, and how many new sessions are taken.
3. `timeout`: how long the call may take, with all that follows.
4. `retry`: whether a call to a remote server that failed is made again.
5. `breaker`: whether the server is asked at all; each attempt meets it.

Roles are asked for before the third. A call that is refused is recorded like any other.
"""
