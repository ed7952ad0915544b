/** Web sockets: what one says, all hear. One container, so that all are in one room. */
import { App } from "lydian";
import { type ServerSocket, upgradeWebSocket } from "lydian/web";

const app = new App("chat");
const room = new Set<ServerSocket>();

export const chat = app.webEndpoint({ label: "chat", maxContainers: 1 }, (request) => {
  if (request.headers.get("upgrade") !== "websocket") return new Response("a web socket, please", { status: 426 });
  const { socket, response } = upgradeWebSocket(request);
  room.add(socket);
  socket.addEventListener("message", ({ data }) => room.forEach((each) => each.send(data)));
  socket.addEventListener("close", () => room.delete(socket));
  return response;
});
