// Copilot's language server, spoken to as an IDE does: BASE TEXT NAME...
// Run where its node_modules are, without any sign-in. It looks for experiments outside, so it runs
// in a network of its own, where the server is reached through the UNIX socket RELAY.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [base, text, ...names] = process.argv.slice(2)
const packaged = `copilot-language-server-${process.platform}-${process.arch}`
const program = join('node_modules/@github', packaged, 'copilot-language-server')
const home = mkdtempSync(join(tmpdir(), 'copilot-'))
const { hostname, port } = new URL(base)
const relay = net.createServer((client) => {
  const server = net.connect(process.env.RELAY)
  client.pipe(server).pipe(client)
})
await new Promise((ready) => relay.listen(port, hostname, ready))
const child = spawn(program, ['--stdio'], {
  stdio: ['pipe', 'pipe', 'ignore'],
  env: {
    PATH: process.env.PATH, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home,
  },
})
const waiting = new Map()
let last = 0
child.on('exit', (code) => {
  rmSync(home, { recursive: true, force: true })
  for (const { reject } of waiting.values()) reject(new Error(`the server ended with ${code}`))
})

function send(message) {
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }))
  child.stdin.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]))
}
function call(method, params) {
  last += 1
  send({ id: last, method, params })
  return new Promise((resolve, reject) => waiting.set(last, { resolve, reject }))
}
function receive(message) {
  const answered = waiting.get(message.id)
  if (message.method) {
    if (message.id !== undefined) send({ id: message.id, result: null })
  } else if (answered) {
    waiting.delete(message.id)
    if (message.error) answered.reject(new Error(message.error.message))
    else answered.resolve(message.result)
  }
}
let unread = Buffer.alloc(0)
child.stdout.on('data', (data) => {
  unread = Buffer.concat([unread, data])
  for (;;) {
    const head = unread.indexOf('\r\n\r\n')
    if (head < 0) return
    const end = head + 4 + Number(/content-length: *(\d+)/i.exec(unread.toString('ascii', 0, head))[1])
    if (unread.length < end) return
    const body = unread.toString('utf8', head + 4, end)
    unread = unread.subarray(end)
    receive(JSON.parse(body))
  }
})

const baseUrl = `${base}/v0.1/servers`
async function walk(search) {
  const met = []
  let cursor
  do {
    const page = await call('mcp/registry/listServers', { baseUrl, limit: 30, search, version: 'latest', cursor })
    met.push(...page.servers.map(({ server }) => [server.name, server.version]))
    cursor = page.metadata.nextCursor
  } while (cursor)
  return met
}
async function lookup(serverName) {
  try {
    const found = await call('mcp/registry/getServer', { baseUrl, serverName, version: 'latest' })
    return found.server.version
  } catch (error) {
    if (error.message !== 'Server not found') throw error
    return null
  }
}

try {
  const editor = { name: 'tests', version: '1' }
  await call('initialize', {
    processId: process.pid,
    capabilities: {},
    rootUri: null,
    initializationOptions: {
      editorInfo: editor,
      editorPluginInfo: editor,
      copilotCapabilities: { redirectedTelemetry: true },
    },
  })
  send({ method: 'initialized', params: {} })
  const listed = await walk('')
  const found = await walk(text)
  const lookups = {}
  for (const name of names) lookups[name] = await lookup(name)
  console.log(JSON.stringify({ listed, found, lookups }))
} catch (error) {
  console.error(error.stack)
  process.exitCode = 1
} finally {
  child.kill('SIGKILL')
  relay.close()
}
