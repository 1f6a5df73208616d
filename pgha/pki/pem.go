package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

const certificateType = "CERTIFICATE"

// decodeBlocks reads every PEM block. Text around blocks is ignored, as other
// programs do, but a block that begins and cannot be read is an error: half a
// bundle must not pass for a whole one.
func decodeBlocks(data []byte) ([]*pem.Block, error) {
	begun := bytes.Count(data, []byte("-----BEGIN "))
	var blocks []*pem.Block
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		blocks = append(blocks, block)
	}
	if len(blocks) != begun {
		return nil, fmt.Errorf("%w: %d of %d blocks are damaged", ErrInvalidPEM,
			begun-len(blocks), begun)
	}
	return blocks, nil
}

// parseCertificates returns at least one certificate, in file order. Blocks of
// other types are skipped.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	blocks, err := decodeBlocks(data)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, block := range blocks {
		if block.Type != certificateType {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", ErrInvalidPEM, len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("%w: no certificate found", ErrInvalidPEM)
	}
	return certs, nil
}

// parseKey returns the only private key in data: PKCS#8, or the older PKCS#1
// and SEC 1 forms that openssl writes. Its errors never quote the input.
func parseKey(data []byte) (crypto.Signer, error) {
	blocks, err := decodeBlocks(data)
	if err != nil {
		return nil, err
	}
	var found *pem.Block
	for _, block := range blocks {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: more than one private key", ErrInvalidPEM)
		}
		found = block
	}
	if found == nil {
		return nil, fmt.Errorf("%w: no private key found", ErrInvalidPEM)
	}
	if found.Type == "ENCRYPTED PRIVATE KEY" || found.Headers["DEK-Info"] != "" {
		return nil, fmt.Errorf("%w: private key is encrypted: decrypt it first", ErrInvalidPEM)
	}
	return parseKeyDER(found)
}

func parseKeyDER(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: unsupported block %q", ErrInvalidPEM, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: private key cannot be read", ErrInvalidPEM)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: private key cannot sign", ErrInvalidPEM)
	}
	return signer, nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateType, Bytes: der})
}
