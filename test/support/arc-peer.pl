# The ARC of Mail::DKIM (Debian's libmail-dkim-perl), one JSON request a line on stdin, one JSON answer a line on stdout:
#   {"do":"verify","message":BASE64,"port":PORT}                 the DNS is asked at 127.0.0.1:PORT
#   {"do":"seal","message":BASE64,"key":PEM,"domain","selector","authservId"}
# A request that fails answers {"error":TEXT}.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use Mail::DKIM::ARC::Signer;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::DNS;
use Mail::DKIM::PrivateKey;
use Net::DNS;

my $json = JSON::PP->new->latin1->canonical;
$| = 1;

while (my $line = <STDIN>) {
    my $answer = eval {
        my $request = $json->decode($line);
        $request->{do} eq 'seal' ? seal($request) : verify($request);
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
    my $verifier = Mail::DKIM::ARC::Verifier->new(Strict => 1);
    feed($verifier, $request);
    return { result => $verifier->result, detail => $verifier->result_detail };
}

sub seal {
    my ($request) = @_;
    # Its base64 on one line.
    my $base64 = join '', grep { !/^-/ } split /\n/, $request->{key};
    my $signer = Mail::DKIM::ARC::Signer->new(
        Algorithm => 'rsa-sha256',
        Chain     => 'ar',
        Domain    => $request->{domain},
        Selector  => $request->{selector},
        SrvId     => $request->{authservId},
        Key       => Mail::DKIM::PrivateKey->load(Data => $base64),
    );
    feed($signer, $request);
    die $signer->{details} . "\n" if $signer->{result} eq 'skipped';
    return { headers => $signer->as_string };
}

sub feed {
    my ($reader, $request) = @_;
    $reader->PRINT(decode_base64($request->{message}));
    $reader->CLOSE;
}
