import assert from "node:assert/strict";
import { createServer } from "node:net";
import { platform } from "#platform";

/**
 * A request is on the wire once, also where a kept connection breaks under it, in three ways: closed, reset, closed later. The
 * server is bare TCP, so that nothing between counts for us. Prints one line where all is well.
 */
const posts: string[] = [];
const server = createServer((socket) => {
  socket.on("error", () => undefined);
  socket.on("data", (data) => {
    const text = data.toString();
    if (text.startsWith("GET")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    else {
      posts.push(text);
      if (posts.length % 3 === 0) socket.end();
      else if (posts.length % 3 === 1) socket.resetAndDestroy();
      else setTimeout(() => socket.destroy(), 20);
    }
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
for (let at = 0; at < 9; at++) {
  await platform.httpGet(`${url}/time`, 2000);
  await platform.httpSend({ method: "GET", url: `${url}/time`, headers: {}, body: null }, 2000);
  await assert.rejects(platform.httpSend({ method: "POST", url: `${url}/order`, headers: {}, body: `id=${at}` }, 2000));
}
server.close();
assert.equal(posts.length, 9);
console.log(`${platform.runtime}: 9 requests broken off, each on the wire once`);
process.exit(0);
