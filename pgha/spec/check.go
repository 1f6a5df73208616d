package spec

// check reports everything that is wrong with a spec whose defaults are filled in.
func check(s *Spec, d *decoder) {
	c := &checker{Spec: s, decoder: d}
	if s.Version != 1 && !d.broken("version") {
		if s.Version == 0 {
			d.report("version", "is missing", "write version: 1")
		} else {
			d.report("version", "is not 1, the only version of this format", "write version: 1")
		}
	}
	_ = c
}

// checker holds the spec under check; its methods report to the decoder.
type checker struct {
	*Spec
	*decoder
}
