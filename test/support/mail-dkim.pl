# Mail::DKIM (Debian's libmail-dkim-perl), one JSON request a line on stdin, one JSON answer a line on stdout:
#   {"do":"verify","message":BASE64,"port":PORT}                 the DNS is asked at 127.0.0.1:PORT
#   {"do":"sign","kind":"dkim"|"domainkeys","message":BASE64,"key":BASE64 of PKCS#1 DER,"algorithm","method","domain","selector","fields"?}
# A request that fails answers {"error":TEXT}.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use Net::DNS;
use Mail::DKIM::DkSignature;
use Mail::DKIM::PrivateKey;
use Mail::DKIM::Signature;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;

my $json = JSON::PP->new->latin1->canonical;
$| = 1;

while (my $line = <STDIN>) {
    my $answer = eval {
        my $request = $json->decode($line);
        $request->{do} eq 'sign' ? sign($request) : verify($request);
    };
    $answer = { error => "$@" } unless $answer;
    print $json->encode($answer), "\n";
}

sub verify {
    my ($request) = @_;
    Mail::DKIM::DNS::resolver(
        Net::DNS::Resolver->new(
            nameservers => ['127.0.0.1'],
            port        => $request->{port},
            dnsrch      => 0,
            defnames    => 0,
            retry       => 1,
        )
    );
    my $verifier = Mail::DKIM::Verifier->new;
    feed($verifier, $request);
    my @signatures = map {
        {
            kind     => $_->isa('Mail::DKIM::DkSignature') ? 'domainkeys' : 'dkim',
            domain   => $_->domain,
            selector => $_->selector,
            result   => $_->result,
            detail   => $_->result_detail,
        }
    } $verifier->signatures;
    return { result => $verifier->result, detail => $verifier->result_detail, signatures => \@signatures };
}

sub sign {
    my ($request) = @_;
    my $class = $request->{kind} eq 'domainkeys' ? 'Mail::DKIM::DkSignature' : 'Mail::DKIM::Signature';
    my $policy = sub {
        my ($signer) = @_;
        my $headers = $request->{fields};
        $headers = $signer->headers if !defined $headers && $request->{kind} eq 'dkim';
        my $signature = $class->new(
            Algorithm => $request->{algorithm},
            Method    => $request->{method},
            Domain    => $request->{domain},
            Selector  => $request->{selector},
            Headers   => $headers,
        );
        $signer->add_signature($signature);
        return 0;
    };
    my $key = Mail::DKIM::PrivateKey->load(Data => $request->{key});
    my $signer = Mail::DKIM::Signer->new(Policy => $policy, Key => $key);
    feed($signer, $request);
    return { field => $signer->signature->as_string . "\r\n" };
}

sub feed {
    my ($reader, $request) = @_;
    $reader->PRINT(decode_base64($request->{message}));
    $reader->CLOSE;
}
