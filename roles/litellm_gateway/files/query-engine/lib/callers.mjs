// Who may ask. The engine answers any SQL without a password, as Prisma's own does, so it answers the programs of its own user only.
// The kernel knows whose a connection from this machine is; without its table (other systems than Linux) everybody on it may ask.
import { readFileSync } from 'node:fs'

const TABLE = '/proc/net/tcp'
const ESTABLISHED = '01'
const LOCAL_HOST = /^(localhost|127\.0\.0\.1)(:\d+)?$/

const portOf = (address) => parseInt(address.split(':')[1], 16)

// Whether the other end of a connection over 127.0.0.1 belongs to a process of this user. One that is closed already belongs to nobody.
export function isOwn(socket, table = readTable()) {
  if (table === null) return true
  const rows = table.split('\n').slice(1).map((line) => line.trim().split(/\s+/))
  return rows.some(
    ([, local, remote, state, , , , uid, , inode]) =>
      state === ESTABLISHED && inode !== '0' && portOf(local) === socket.remotePort && portOf(remote) === socket.localPort && Number(uid) === process.getuid(),
  )
}

function readTable() {
  try {
    return readFileSync(TABLE, 'utf8')
  } catch {
    return null
  }
}

// Whether a request may come from a page in a browser of this user: pages send an Origin, or a Host that they gave to 127.0.0.1 themselves.
export function isFromPage({ origin, host }) {
  return origin !== undefined || !LOCAL_HOST.test(host ?? '')
}
