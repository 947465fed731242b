// Stands in for Next's server (port 3000) and for the backend (8001) in tests of the web server.
const http = require("node:http");

const json = (response, value) => {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(value));
};

const answer = (port) => (request, response) => {
  const url = new URL(request.url, "http://any");
  if (url.pathname === "/redirect") {
    response.writeHead(307, { Location: url.searchParams.get("to") });
    response.end();
  } else if (url.pathname === "/cookie") {
    response.setHeader("Set-Cookie", [
      "session=1; Path=/; HttpOnly; Secure; SameSite=None",
      "__Secure-id=2; Path=/; Secure",
    ]);
    response.end();
  } else if (url.pathname === "/events") {
    response.setHeader("Content-Type", "text/event-stream");
    response.write("data: first\n\n"); // and nothing more, for as long as somebody listens
  } else if (url.pathname === "/script.js") {
    json(response, ["http://localhost:8000/todos", "http://localhost:3000/me"]);
  } else if (url.pathname === "/through") {
    http.get("http://127.0.0.1:8000/headers", { headers: { Host: "localhost:8000" } }, (found) =>
      found.pipe(response),
    );
  } else {
    json(response, { port, ...request.headers });
  }
};

// A WebSocket's handshake, and then what the backend says.
const upgrade = (request, socket) => {
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  socket.end("hello");
};

for (const port of [3000, 8001]) {
  http.createServer(answer(port)).on("upgrade", upgrade).listen(port, "127.0.0.1");
}
