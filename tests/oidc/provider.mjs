// The certified `oidc-provider` with one client, on a free loopback port.
//
//   node provider.mjs CLIENT_ID CLIENT_SECRET
//
// Prints its issuer as the first line, then reads the portal's address from its input, because the portal must know the issuer
// before it has an address; from then on it answers, and prints "ready".
// Anybody signs in with any password; `login` becomes the subject and the part of the address before the @. Whoever is called
// sales-… has the role Leadgen.Sales. POST /rotate makes it sign with another key from then on. It ends with its input.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const [clientId, clientSecret] = process.argv.slice(2);

const cookieKey = randomUUID();
const newKey = () => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid: randomUUID(),
  alg: 'RS256',
  use: 'sig',
});

const claimsOf = (login) => ({
  sub: login,
  email: `${login}@example.com`,
  email_verified: true,
  name: `Person ${login}`,
  roles: login.startsWith('sales-') ? ['Leadgen.Sales'] : [],
});

// A provider with another key knows nothing of the sessions of the one before.
const provider = () => new Provider(issuer, {
  clients: [{
    client_id: clientId,
    client_secret: clientSecret,
    redirect_uris: [`${portal}/sign-in/oidc/callback`],
    post_logout_redirect_uris: [`${portal}/sign-in/oidc/signed-out`],
  }],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name'],
    roles: ['roles'],
  },
  cookies: { keys: [cookieKey] },
  findAccount: (_, login) => ({ accountId: login, claims: () => claimsOf(login) }),
  jwks: { keys: [newKey()] },
});

let issuer;
let portal;
let answer = (_, response) => response.writeHead(503).end();
const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/rotate') {
    answer = provider().callback();
    response.end();
  } else {
    answer(request, response);
  }
});
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  console.log(issuer);
});
const input = createInterface({ input: process.stdin });
input.once('line', (line) => {
  portal = line.trim();
  answer = provider().callback();
  console.log('ready');
});
input.on('close', () => process.exit(0));
