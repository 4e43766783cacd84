"""The names of ssl, for modules that are written against it. There is no network here, hence nothing to encrypt."""
import enum
import socket


class SSLError(OSError):
    pass


class SSLZeroReturnError(SSLError):
    pass


class SSLWantReadError(SSLError):
    pass


class SSLWantWriteError(SSLError):
    pass


class SSLSyscallError(SSLError):
    pass


class SSLEOFError(SSLError):
    pass


class SSLCertVerificationError(SSLError, ValueError):
    pass


CertificateError = SSLCertVerificationError
socket_error = OSError
SOCK_STREAM, AF_INET = getattr(socket, 'SOCK_STREAM', 1), getattr(socket, 'AF_INET', 2)


class VerifyMode(enum.IntEnum):
    CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = range(3)


class TLSVersion(enum.IntEnum):
    MINIMUM_SUPPORTED, TLSv1, TLSv1_1, TLSv1_2, TLSv1_3, MAXIMUM_SUPPORTED = -2, 769, 770, 771, 772, -1


class Purpose(enum.Enum):
    SERVER_AUTH, CLIENT_AUTH = 'server', 'client'


CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = VerifyMode
PROTOCOL_SSLv23 = PROTOCOL_TLS = 2
PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 16, 17
HAS_SNI = HAS_ALPN = HAS_NPN = HAS_TLSv1_2 = HAS_TLSv1_3 = False
HAS_NEVER_CHECK_COMMON_NAME = True
OPENSSL_VERSION, OPENSSL_VERSION_INFO, OPENSSL_VERSION_NUMBER = 'none', (0, 0, 0, 0, 0), 0


class SSLContext:
    """Takes every setting and makes no connection."""

    def __init__(self, protocol=PROTOCOL_TLS):
        self.protocol, self.verify_mode, self.check_hostname, self.options = protocol, CERT_REQUIRED, True, 0
        self.minimum_version, self.maximum_version, self.post_handshake_auth = TLSVersion.TLSv1_2, TLSVersion.MAXIMUM_SUPPORTED, None

    def _setting(self, *args, **kwargs):
        return None

    load_verify_locations = load_cert_chain = load_default_certs = set_ciphers = set_alpn_protocols = set_default_verify_paths = _setting

    def wrap_socket(self, *args, **kwargs):
        raise SSLError('there is no network here')

    wrap_bio = wrap_socket


class SSLSocket(socket.socket):
    pass


class SSLObject:
    pass


class MemoryBIO:
    pass


def create_default_context(purpose=Purpose.SERVER_AUTH, *, cafile=None, capath=None, cadata=None):
    return SSLContext()


_create_default_https_context = _create_unverified_context = _create_stdlib_context = create_default_context


def get_server_certificate(*args, **kwargs):
    raise SSLError('there is no network here')


def match_hostname(*args):
    raise SSLError('there is no network here')


def __getattr__(name):
    if name.startswith(('OP_', 'VERIFY_', 'ALERT_')):
        return 0
    raise AttributeError('module ssl has no attribute %r' % name)
