package main

import (
	"errors"
	"strconv"

	"github.com/urfave/cli/v2"
)

// decimal is the value of a flag that takes a whole number, read as the specification reads one.
// The framework's own flags take 010 for eight, 0x10 for sixteen and 1_000 for a thousand, whatever
// their Base is: that is for environment variables. Context.Int and Int64 read it.
type decimal int64

// Set implements flag.Value.
func (d *decimal) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return errors.New("the number is too large")
	case err != nil:
		return errors.New("write a whole number in decimal digits")
	}
	*d = decimal(n)
	return nil
}

// String implements flag.Value.
func (d *decimal) String() string { return strconv.FormatInt(int64(*d), 10) }

// numberFlag takes a whole number; byDefault is said in the help where it is not the value.
func numberFlag(name string, value int64, byDefault, usage string) cli.Flag {
	number := decimal(value)
	return &cli.GenericFlag{Name: name, Value: &number, DefaultText: byDefault, Usage: usage}
}
