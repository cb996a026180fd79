// Ports on loopback: free ones, and whether somebody listens.
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";

export const loopback = "127.0.0.1";

/** Free a moment ago, all different. Whoever binds them may find that somebody was quicker. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    for (const server of servers) await once(server.listen(0, loopback), "listening");
    return servers.map((server) => (server.address() as AddressInfo).port);
  } finally {
    for (const server of servers) server.close();
  }
}

export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, loopback);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
