import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A certificate and its key, as PEM. */
export interface CertifiedKey {
  readonly cert: string;
  readonly key: string;
}

/** An authority of the tests: it is trusted by who is told its certificate. */
export interface TestAuthority {
  readonly cert: string;
  /** A server's certificate for the DNS name `host`. It holds from 2020 to `until`. */
  certify(host: string, until?: Date): CertifiedKey;
}

const FROM = new Date(Date.UTC(2020, 0, 1));
const FOR_LONG = new Date(Date.UTC(2049, 0, 1));

/** An authority that nobody trusts yet. */
export function createAuthority(name: string): TestAuthority {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { name, key: pair.privateKey };
  return {
    cert: certificate({ issuer, subject: name, publicKey: pair.publicKey, until: FOR_LONG, extension: IS_AUTHORITY }),
    certify(host, until = FOR_LONG) {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const cert = certificate({ issuer, subject: host, publicKey, until, extension: alternativeName(host) });
      return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
    },
  };
}

interface Wish {
  readonly issuer: { readonly name: string; readonly key: KeyObject };
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly until: Date;
  readonly extension: Buffer;
}

let serial = 0;

/** RFC 5280, with one extension and what Node's TLS asks for besides. */
function certificate({ issuer, subject, publicKey, until, extension }: Wish): string {
  serial += 1;
  const signed = der(
    SEQUENCE,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([0x01, serial])),
    ECDSA_WITH_SHA256,
    nameOf(issuer.name),
    der(SEQUENCE, timeOf(FROM), timeOf(until)),
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(SEQUENCE, extension)),
  );
  const signature = sign("sha256", signed, issuer.key);
  const whole = der(SEQUENCE, signed, ECDSA_WITH_SHA256, der(0x03, Buffer.from([0]), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

const SEQUENCE = 0x30;
/** 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = der(SEQUENCE, Buffer.from("06082a8648ce3d040302", "hex"));
/** 2.5.29.19, critical: CA */
const IS_AUTHORITY = der(SEQUENCE, Buffer.from("0603551d130101ff040530030101ff", "hex"));

/** 2.5.29.17 with one DNS name. */
function alternativeName(host: string): Buffer {
  return der(SEQUENCE, Buffer.from("0603551d11", "hex"), der(0x04, der(SEQUENCE, der(0x82, Buffer.from(host)))));
}

/** The common name, 2.5.4.3, alone. */
function nameOf(commonName: string): Buffer {
  return der(SEQUENCE, der(0x31, der(SEQUENCE, Buffer.from("0603550403", "hex"), der(0x0c, Buffer.from(commonName)))));
}

/** UTCTime. */
function timeOf(date: Date): Buffer {
  return der(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/\D/g, "")}Z`));
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
