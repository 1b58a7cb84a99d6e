import type { RecordedRecipient, VerdictRecord } from '../../src/model/record.ts';

/** A recipient that was let through. */
export function sampleRecipient(address: string): RecordedRecipient {
  return {
    address,
    verdict: 'continue',
    outcome: 'delivered',
    rule: null,
    hop: 'smtp:[192.0.2.25]:25',
    hopReply: '250 2.1.5 Ok',
  };
}

/** A record of an accepted message, with whatever `change` says otherwise. */
export function sampleRecord(change: Partial<VerdictRecord> = {}): VerdictRecord {
  return {
    id: 's1.1',
    sessionId: 's1',
    event: 'message-accepted',
    time: Date.UTC(2026, 6, 31, 3, 12, 44, 123),
    durationMs: 41.25,
    edge: 'smtp',
    client: {
      ip: '192.0.2.7',
      port: 40_123,
      localIp: '198.51.100.1',
      localPort: 25,
      reverseName: 'mail.example.net',
      ident: null,
    },
    relayClient: false,
    helo: { verb: 'EHLO', name: 'mail.example.net' },
    tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
    sender: 'alice@example.net',
    recipients: [sampleRecipient('bob@example.com')],
    messageId: '<m1@example.net>',
    size: 4711,
    crc32: 'ab'.repeat(32),
    findings: [
      {
        stage: 'connect',
        plugin: 'rblsmtpd',
        rule: 'rblsmtpd',
        state: 'pass',
        ms: 1.5,
        detail: 'not listed',
      },
    ],
    score: 0,
    rule: null,
    reply: '250 2.0.0 ok s1.1',
    settings: [
      { name: 'databytes', value: '20000000', origin: { layer: 'client', place: '/etc/tcp.smtp:14' } },
    ],
    configuration: '3-0123abcd',
    ...change,
  };
}
