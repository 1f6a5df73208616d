package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"

	"github.com/pgha/toolkit/pgha/remote"
)

// AddressesFile says in the state directory which addresses the hosts' names had at the last apply.
const AddressesFile = "addresses.json"

// Addresses returns what is remembered of the hosts' names; none before the first apply.
func (s *State) Addresses() (map[string]netip.Addr, error) {
	text, err := s.Read(AddressesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var known map[string]netip.Addr
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	if err != nil {
		return nil, remote.WithHint(fmt.Errorf("read %s: %w", s.Path(AddressesFile), err),
			"delete the file: the next apply writes it again")
	}
	return known, nil
}

// RememberAddresses drafts the file, if it says something else.
func (s *State) RememberAddresses(known, found map[string]netip.Addr) error {
	if maps.Equal(known, found) {
		return nil
	}
	text, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", AddressesFile, err)
	}
	return s.Write(AddressesFile, append(text, '\n'))
}
