"""Every snippet of the API reference that can work by now, unmodified, against the starter model; all at once."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.snippets import SEED, Snippet, missing_programs, run
from tests.servers import Server, running_server

pytestmark = pytest.mark.timeout(1800)

Answers = dict[Snippet, Future[subprocess.CompletedProcess[str]]]
Sensible = Callable[[str], bool]


def says(*words: str) -> Sensible:
    return lambda answer: all(word in answer.lower() for word in words)


def at_least(words: int) -> Sensible:
    return lambda answer: len(answer.split()) >= words


def response_says_something(answer: str) -> bool:
    response = json.loads(answer)
    return response["status"] == "completed" and bool(response["output"][0]["content"][0]["text"].strip())


def completion_says_something(answer: str) -> bool:
    [choice] = json.loads(answer)["choices"]
    return choice["finish_reason"] == "stop" and bool(choice["message"]["content"].strip())


def brief(words: int) -> Sensible:
    return lambda answer: 1 < len(answer.split()) < words


def parsed(*words: str) -> Sensible:
    """The last line is JSON, and has these words in it."""
    return lambda answer: bool(json.loads(answer.splitlines()[-1])) and says(*words)(answer)


WEATHER = """def get_weather(location, units):
    return {"location": location, "temperature": 17, "units": units, "sky": "rain"}
"""
PHOTO = """from PIL import Image, ImageDraw, ImageFont
sign = Image.new("RGB", (640, 120), "white")
ImageDraw.Draw(sign).text((20, 30), "Fresh coffee, open until 6 pm", "black", ImageFont.load_default(40))
sign.save("image.jpg")
"""
QUESTIONS = """import json
with open("batch.jsonl", "w") as questions:
    for number in range(3):
        body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": f"What is {number} + 2?"}]}
        line = {"custom_id": f"req-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        print(json.dumps(line), file=questions)
"""
WAITING = """import time
while batch.status != "completed":
    time.sleep(1)
    batch = client.batches.retrieve(batch.id)
"""
THOUGHT = "response.output[0].type, response.usage.output_tokens_details.reasoning_tokens, response.output_text"

SNIPPETS: dict[Snippet, Sensible] = {
    Snippet("03_python.py"): at_least(1),
    Snippet("03_javascript.mjs"): at_least(1),
    Snippet("03_curl.sh"): response_says_something,
    Snippet("04_basic_request.py"): at_least(6),
    Snippet("04_instructions.py", "response.output_text"): says("string", "revers"),
    Snippet("04_message_roles.py", "response.output_text"): says("learn", "data"),
    Snippet("04_previous_response.py", "response2.output_text"): says("alice"),
    Snippet("04_manual_history.py", "response.output_text"): says("alice"),
    Snippet("05_python.py"): at_least(1),
    Snippet("05_javascript.mjs"): at_least(1),
    Snippet("05_curl.sh"): completion_says_something,
    Snippet("06_effort.py", THOUGHT): says("reasoning"),
    Snippet("06_verbosity.py", "response.output_text"): brief(200),
    Snippet("06_summary.py", "response.output[0].summary, response.output_text"): says("summary_text", "paris"),
    Snippet("06_incomplete.py", "response.status, [item.type for item in response.output]"): says("reasoning"),
    Snippet("07_responses.py"): at_least(6),
    Snippet("07_responses.mjs"): at_least(6),
    Snippet("07_chat.py"): at_least(1),
    Snippet("08_functions.py", given=WEATHER): says("17"),
    Snippet("09_pydantic.py"): says("alice", "bob", "participants="),
    Snippet("09_zod.mjs", "response.output_parsed.participants"): says("alice", "bob"),
    Snippet("09_json_schema.py", "response.output_text"): parsed("name", "date", "participants"),
    Snippet("09_refusals.py", follows="09_pydantic.py"): says("participants="),
    Snippet("10_image_base64.py", "response.output_text", given=PHOTO): says("coffee"),
    Snippet("11_cache_key.py", "response.prompt_cache_key, response.output_text"): says("my-app-v2"),
    Snippet("11_cache_retention.py", "response.prompt_cache_retention, response.output_text"): says("24h"),
    Snippet("12_batch.py", given=QUESTIONS): at_least(1),
    Snippet("12_results.py", "result_file.text", "12_batch.py", QUESTIONS, WAITING): says("req-0", "req-1", "req-2"),
    Snippet("13_backoff.py", "response.output_text"): at_least(1),
    Snippet("15_reasoning.py", THOUGHT): says("reasoning"),
    Snippet("15_low_latency.py", "response.usage.output_tokens_details.reasoning_tokens, response.status"): says("0"),
    Snippet("15_structured_output.py", "response.output_parsed"): says("title=", "key_points=", "sentiment="),
    Snippet("15_simple_text.py"): at_least(1),
    Snippet("15_multi_turn.py", "r2.output_text"): says("alice"),
    Snippet("15_chat_legacy.py"): at_least(1),
}


def sensibly(snippet: Snippet, server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a snippet; once more if the model's answer, which is drawn by lot, is not a sensible one."""
    done = run(snippet, server, folder / "first")
    if done.returncode == 0 and not SNIPPETS[snippet](done.stdout):
        done = run(snippet, server, folder / "second")
    return done


@pytest.fixture(scope="module")
def answers(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    """Every snippet, begun at the same moment against one server."""
    assert missing_programs() == []
    folder = tmp_path_factory.mktemp("snippets")
    with (
        running_server(folder / "server", "--model", starter.stem, ready_seconds=120) as server,
        ThreadPoolExecutor(len(SNIPPETS)) as pool,
    ):
        yield {snippet: pool.submit(sensibly, snippet, server, folder) for snippet in SNIPPETS}


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.name)
def test_snippet(snippet: Snippet, answers: Answers) -> None:
    done = answers[snippet].result()
    assert done.returncode == 0, done.stdout + done.stderr
    assert SNIPPETS[snippet](done.stdout), done.stdout


def test_every_snippet_is_run() -> None:
    kept = {path.name for path in SEED.iterdir() if path.suffix in (".py", ".mjs", ".sh")}
    assert {snippet.name for snippet in SNIPPETS} == kept


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.name)
def test_the_snippet_is_the_reference_s(snippet: Snippet) -> None:
    reference = (SEED / "reference.txt").read_text()
    text = snippet.path.read_text()
    assert "\n".join(line.strip() for line in text.splitlines()) in reference
    assert text in snippet.program()
