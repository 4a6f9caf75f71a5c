"""Tasks as the everything server offers them: those of 2025-11-25, and the modern extension."""

from collections.abc import Callable

from everything_answers import METHOD_NOT_FOUND, answer
from everything_call import MISSING_CAPABILITY, Call
from everything_offer import RELATED, TASK_SUPPORT, TASKS_EXTENSION, JSONObject
from everything_tools import call_tool
from everything_work import Task
from everything_world import INVALID_PARAMS, Fault, Send

WHEN = "2026-01-01T00:00:00Z"
STATUS = "notifications/tasks/status"
OF_ONE_TASK = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})


class _TaskCall(Call):
    """A call that has become a task: it asks through the task, and speaks beside any answer."""

    def __init__(self, call: Call, task: Task, outside: Send | None) -> None:
        message = {"method": call.method, "params": call.params}
        super().__init__(call.world, message, outside or _nobody, call.capabilities, call.headers)
        self._task = task

    def log_level(self) -> str | None:
        return None

    def notify(self, method: str, **params: object) -> None:
        super().notify(method, **params, _meta=_related(self._task))

    async def _ask(self, method: str, params: JSONObject) -> JSONObject:
        return await self._task.ask(method, params)


def _nobody(message: JSONObject) -> None:
    """The modern era has nothing but a task's status to tell of it."""


def _related(task: Task) -> JSONObject:
    return {RELATED: {"taskId": task.id}}


def _begin(call: Call, tell: Callable[[Task], None], outside: Send | None = None) -> Task:
    """Begin a task that does what the call asks for. Ids are equal at all servers."""
    tasks = call.world.tasks
    task = tasks[f"task-{len(tasks) + 1}"] = Task(f"task-{len(tasks) + 1}", tell)
    is_legacy = outside is not None

    async def work() -> None:
        try:
            task.result = await call_tool(_TaskCall(call, task, outside))
        except Fault as fault:
            task.error = fault.error
        has_failed = task.result is None or (is_legacy and task.result.get("isError") is True)
        task.end("failed" if has_failed else "completed")

    task.start(work())
    return task


def _find(call: Call) -> Task:
    task = call.world.tasks.get(call.params.get("taskId", ""))
    if task is None:
        raise Fault(INVALID_PARAMS, f"{call.server} has no task {call.params.get('taskId')!r}.")
    return task


async def answer_legacy(call: Call, outside: Send) -> JSONObject:
    """Answer a request as 2025-11-25 has it; `outside` reaches the client beside any answer."""

    def tell(task: Task) -> None:
        outside({"jsonrpc": "2.0", "method": STATUS, "params": _legacy(task)})

    match call.method:
        case "tools/call" if "task" in call.params and _support(call) is not None:
            return {"task": _legacy(_begin(call, tell, outside))}
        case "tools/call" if _support(call) == "required":
            raise Fault(METHOD_NOT_FOUND, f"{call.params['name']} is called as a task only.")
        case "tasks/get":
            return _legacy(_find(call))
        case "tasks/list":
            return _page(call)
        case "tasks/cancel":
            return _cancelled(_find(call))
        case "tasks/result":
            return await _result(call, _find(call))
        case _:
            return await answer(call)


def _support(call: Call) -> str | None:
    return TASK_SUPPORT.get(call.params.get("name", ""))


def _legacy(task: Task) -> JSONObject:
    times = {"createdAt": WHEN, "lastUpdatedAt": WHEN, "ttl": 60_000, "pollInterval": 10}
    return {"taskId": task.id, "status": task.status, **times, "x-unknown": [task.id]}


def _page(call: Call) -> JSONObject:
    """Return two tasks at a time, so that every list has several pages."""
    start, tasks = int(call.params.get("cursor", 0)), list(call.world.tasks.values())
    page: JSONObject = {"tasks": [_legacy(each) for each in tasks[start : start + 2]]}
    if start + 2 < len(tasks):
        page["nextCursor"] = str(start + 2)
    return page


def _cancelled(task: Task) -> JSONObject:
    if task.is_over:
        raise Fault(INVALID_PARAMS, f"{task.id} is {task.status} already.")
    task.cancel()
    return _legacy(task)


async def _result(call: Call, task: Task) -> JSONObject:
    """Wait for a task's end; what it wants to know meanwhile is asked on this call's stream."""
    while not task.is_over:
        news = task.news
        for question in [each for each in task.questions.values() if not each.is_put]:
            question.is_put = True
            params = {**question.params, "_meta": _related(task)}
            question.answer.set_result(await call.ask(question.method, params))
        await news.wait()
    if task.result is None:
        error = task.error or {"code": INVALID_PARAMS, "message": f"{task.id} was cancelled."}
        raise Fault(error["code"], error["message"], error.get("data"))
    return {**task.result, "_meta": _related(task)}


async def answer_modern(call: Call) -> JSONObject:
    """Answer a request as the extension has it, to clients that declare it."""
    is_declared = declares_tasks(call.capabilities)
    match call.method:
        case "tools/call" if _support(call) is not None and is_declared:
            return {"resultType": "task", **_modern(_begin(call, call.world.task_changed))}
        case "tools/call" if _support(call) == "required":
            raise needs_extension()
        case method if method in OF_ONE_TASK and not is_declared:
            raise needs_extension()
        case "tasks/get":
            return detailed(_find(call))
        case "tasks/update":
            return _updated(_find(call), call.params["inputResponses"])
        case "tasks/cancel":
            _find(call).cancel()
            return {}
        case _:
            return await answer(call)


def declares_tasks(capabilities: JSONObject) -> bool:
    """Tell whether a client of the modern era knows tasks."""
    return TASKS_EXTENSION in (capabilities.get("extensions") or {})


def needs_extension() -> Fault:
    """Return the refusal of a client that does not declare the extension."""
    wanted = {"requiredCapabilities": {"extensions": {TASKS_EXTENSION: {}}}}
    return Fault(MISSING_CAPABILITY, "Missing required client capability", wanted)


def _modern(task: Task) -> JSONObject:
    times = {"createdAt": WHEN, "lastUpdatedAt": WHEN, "ttlMs": 60_000, "pollIntervalMs": 10}
    return {"taskId": task.id, "status": task.status, **times, "x-unknown": [task.id]}


def detailed(task: Task) -> JSONObject:
    """Return all that the modern era tells of a task."""
    state = _modern(task)
    match task.status:
        case "input_required":
            state["inputRequests"] = {
                key: {"method": each.method, "params": each.params}
                for key, each in task.questions.items()
            }
        case "completed":
            state["result"] = task.result
        case "failed":
            state["error"] = task.error
    return state


def _updated(task: Task, responses: JSONObject) -> JSONObject:
    for key, response in responses.items():
        question = task.questions.get(key)
        if question is not None and not question.answer.done():
            question.answer.set_result(response)
    return {}
