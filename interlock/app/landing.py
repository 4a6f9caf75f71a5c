"""The page at `/` where the console was not built: where this installation's endpoint and documentation are."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Interlock</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 12vh auto; padding: 0 1rem; }}
  h1 {{ font-size: 1.5rem; }}
  code {{ background: color-mix(in srgb, currentColor 10%, transparent); border-radius: 4px;
          padding: .15em .4em; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>Interlock is running</h1>
<p>MCP clients connect to <code>{address}/mcp/default</code> with
<code>Authorization: Bearer</code> and an API key.</p>
<ul>
<li><a href="/api/docs">API documentation</a> (<a href="/api/openapi.json">OpenAPI</a>)</li>
<li><a href="/readyz">Readiness</a></li>
</ul>
<p>On the command line: <code>interlock servers list</code>, <code>interlock export claude-code</code>,
<code>interlock doctor</code>.</p>
<p>The console is not built here: <code>make console</code> builds it.</p>
</body>
</html>
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


def routes(address: str) -> APIRouter:
    """Return the route `/`."""
    router = APIRouter(include_in_schema=False)
    page = _PAGE.format(address=address)

    @router.get("/")
    async def landing() -> HTMLResponse:
        """Show the page."""
        return HTMLResponse(page, headers={"content-security-policy": _POLICY})

    return router
