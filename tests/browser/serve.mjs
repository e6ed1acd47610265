// A small file server on a free port, for pages of the tests.
import { createServer } from "node:http";

/** `files` maps paths to `{ type, body }`. */
export async function serve(files) {
  const server = createServer((request, response) => {
    const file = files[new URL(request.url, "http://x").pathname];
    response.writeHead(file ? 200 : 404, file ? { "content-type": file.type } : {});
    response.end(file?.body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
