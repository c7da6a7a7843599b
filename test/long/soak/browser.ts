// A browser on the bridge's event stream: browser.ts URL [stalls]. One that reads checks that event numbers rise, counts those that
// are missing (the bridge counts what it left out for a newer one), connects again where it is cut, and says once a second
// `events N holes N cuts N backwards N`. One that stalls asks for the stream and never reads: its parent
// stops the process once it says `asked`.
const GREETING_MS = 2000;
const [url = "", stalls] = process.argv.slice(2);
if (stalls === undefined) await read();
else await ask();

async function ask(): Promise<void> {
  const { hostname, port, pathname } = new URL(url);
  await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open(socket) {
        socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAccept: text/event-stream\r\n\r\n`);
      },
      data(socket) {
        socket.pause();
        console.log("asked");
      },
    },
  });
}

async function read(): Promise<void> {
  let [events, holes, cuts, backwards] = [0, 0, 0, 0];
  setInterval(() => console.log(`events ${events} holes ${holes} cuts ${cuts} backwards ${backwards}`), 1000);
  for (;;) {
    let last: number | null = null;
    const liveFromMs = performance.now() + GREETING_MS;
    let rest = "";
    try {
      const reply = await fetch(url);
      const decoder = new TextDecoder();
      for await (const chunk of reply.body ?? []) {
        const all = rest + decoder.decode(chunk, { stream: true });
        const text = all.slice(0, all.lastIndexOf("\n") + 1);
        rest = all.slice(text.length);
        for (const [, digits] of text.matchAll(/^id: \S+-(\d+)$/gm)) {
          const seq = Number(digits);
          // The greeting has the newest of everything, each under its own number; behind it a hole is what was left out.
          const isLive = performance.now() > liveFromMs;
          if (last !== null && seq <= last) backwards++;
          else if (last !== null && isLive) holes += seq - last - 1;
          last = seq;
          events++;
        }
      }
    } catch {}
    cuts++;
    await Bun.sleep(200);
  }
}
