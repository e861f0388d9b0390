// An issuer for `cargo xtask prove oidc`: oidc-provider with one client, whose tokens are for the resource `urn:shop`.
//
//   node issuer.mjs PORT KEYS ALGORITHM
//
// KEYS is a file with private keys. A missing one is created: RSA, P-256 and Ed25519. It prints its address when it is ready.

import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const [port, file, alg] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

function newKey(type, options, alg) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${Date.now()}` };
}

if (!existsSync(file)) {
  const keys = [newKey('rsa', { modulusLength: 2048 }, 'RS256'), newKey('ec', { namedCurve: 'P-256' }, 'ES256'), newKey('ed25519', {}, 'EdDSA')];
  writeFileSync(file, JSON.stringify({ keys }));
}

const provider = new Provider(issuer, {
  jwks: JSON.parse(readFileSync(file)),
  clients: [{ client_id: 'till', client_secret: 'only-for-this-proof', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:shop',
      getResourceServerInfo: (context, resource) => ({
        audience: resource === 'urn:shop' ? 'shop' : 'another',
        accessTokenFormat: 'jwt',
        accessTokenTTL: resource === 'urn:long' ? 3 * 86_400 : 300,
        jwt: { sign: { alg } },
        scope: '',
      }),
    },
  },
  extraTokenClaims: () => ({ groups: ['buyers', 'visitors'] }),
});
createServer(provider.callback()).listen(Number(port), '127.0.0.1', () => console.log(issuer));
