"""A language model's provider that does what the question says: `provider.py ADDRESS PORT`."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Provider(BaseHTTPRequestHandler):
    """Speaks OpenAI's streamed chat completions: what it does is said by the question.

    Tool arguments come in pieces, as the real one sends them.
    """

    def do_GET(self):
        self.answer(200, {})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert asked["stream"] is True
        if self.headers["Authorization"] != "Bearer sk-right":
            return self.answer(
                401,
                {
                    "error": {
                        "message": "bad key",
                        "type": "invalid_request_error",
                        "code": "invalid_api_key",
                    }
                },
            )
        question = [one["content"] for one in asked["messages"] if one["role"] == "user"][-1]
        last = asked["messages"][-1]
        if question == "break":
            return self.answer(500, {"error": {"message": "broken"}})
        if question == "hang":
            time.sleep(30)
        if last["role"] == "tool":
            result = json.loads(last["content"])
            return self.stream(
                [{"content": "I "}, {"content": "got "}, {"content": json.dumps(result)}]
            )
        if question.startswith("call "):  # a model that was talked into something
            _, name, arguments = question.split(" ", 2)
            calls = [(name, arguments)] * (30 if question.endswith(" ") else 1)
        else:
            calls = [("add_todo", '{"title": "from the model"}')]
        pieces = [
            {
                "tool_calls": [
                    {
                        "index": index,
                        "id": f"c{index}",
                        "type": "function",
                        "function": {"name": name, "arguments": ""},
                    }
                ]
            }
            for index, (name, _) in enumerate(calls)
        ]
        for index, (_, arguments) in enumerate(calls):
            pieces += [
                {
                    "tool_calls": [
                        {"index": index, "function": {"arguments": arguments[at : at + 5]}}
                    ]
                }
                for at in range(0, len(arguments), 5)
            ]
        self.stream(pieces, cut=question == "cut")

    def stream(self, deltas, cut=False):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for delta in deltas:
            chunk = {
                "id": "1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
            }
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()
        if not cut:
            self.wfile.write(b"data: [DONE]\n\n")

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Provider).serve_forever()
