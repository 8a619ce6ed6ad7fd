// VS Code's gallery classes, with stubs for the services around them: BASE TEXT NAME...
// Run where its node_modules are. Requests follow no redirect, as in the editor.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const { resolve } = createRequire(`${process.cwd()}/package.json`)
const load = (path) => import(pathToFileURL(resolve(path)).href)
const PLATFORM = '@codingame/monaco-vscode-mcp-service-override/vscode/vs/platform/mcp/common'
const BASE = '@codingame/monaco-vscode-api/vscode/vs/base/common'
const { McpGalleryService } = await load(`${PLATFORM}/mcpGalleryService`)
const { McpGalleryManifestService } = await load(`${PLATFORM}/mcpGalleryManifestService`)
const { VSBuffer, bufferToStream } = await load(`${BASE}/buffer`)
const { CancellationToken } = await load(`${BASE}/cancellation`)

const [base, text, ...names] = process.argv.slice(2)
const errors = [] // some failures are logged only, and answered with an empty list
const ignore = () => {}
const log = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: (e) => errors.push(`${e}`) }
let status = 0
const requests = {
  async request({ type, url, headers }) {
    const answer = await fetch(url, { method: type, headers, redirect: 'manual' })
    status = answer.status
    const body = VSBuffer.wrap(new Uint8Array(await answer.arrayBuffer()))
    const headersOut = Object.fromEntries(answer.headers)
    return { res: { statusCode: status, headers: headersOut }, stream: bufferToStream(body) }
  },
}
const files = { readFile: () => Promise.reject(new Error('there are no files')) }
const manifests = new McpGalleryManifestService({ mcpGallery: undefined }, requests, log)
const manifest = await manifests.createMcpGalleryManifest(base)
const gallery = new McpGalleryService(requests, files, log, {
  mcpGalleryManifestStatus: 'available',
  getMcpGalleryManifest: () => Promise.resolve(manifest),
})

async function walk(options) {
  const pager = await gallery.query(options)
  const met = [...pager.firstPage.items]
  let more = pager.firstPage.hasMore
  while (more) {
    const page = await pager.getNextPage(CancellationToken.None)
    met.push(...page.items)
    more = page.hasMore
  }
  return met.map((server) => [server.name, server.version])
}

const listed = await walk()
const found = await walk({ text })
const lookups = {}
for (const name of names) {
  const [server] = await gallery.getMcpServersFromGallery([{ name }])
  if (!server && status !== 404) errors.push(`the lookup of ${name} ended with ${status}`)
  lookups[name] = server ? server.version : null
}
if (errors.length > 0) throw new Error(errors.join('\n'))
console.log(JSON.stringify({ listed, found, lookups }))
