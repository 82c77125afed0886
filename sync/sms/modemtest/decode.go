package modemtest

import (
	"fmt"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/pdumode"
	"github.com/warthog618/sms/encoding/tpdu"
)

// taken is a part that the network has.
type taken struct {
	Part
	tpdu *tpdu.TPDU
}

// decode reads one part as a network does. size is the length that was announced.
func decode(hex string, size int) (Part, *tpdu.TPDU, error) {
	p, err := pdumode.UnmarshalHexString(hex)
	if err != nil {
		return Part{}, nil, fmt.Errorf("PDU %q: %w", hex, err)
	}
	if len(p.TPDU) != size {
		return Part{}, nil, fmt.Errorf("PDU %q has %d bytes, announced were %d", hex, len(p.TPDU), size)
	}
	tp, err := sms.Unmarshal(p.TPDU, sms.AsMO)
	if err != nil {
		return Part{}, nil, fmt.Errorf("PDU %q: %w", hex, err)
	}
	if tp.SmsType() != tpdu.SmsSubmit {
		return Part{}, nil, fmt.Errorf("PDU %q is a %v", hex, tp.SmsType())
	}
	part := Part{Number: tp.DA.Number(), Of: 1, Index: 1, PDU: hex}
	if of, index, ref, ok := tp.ConcatInfo(); ok {
		part.Of, part.Index, part.Ref = of, index, ref
	}
	return part, tp, nil
}

// Messages returns the messages whose parts have all come, in the order of
// their last parts.
func (m *Modem) Messages() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	type key struct {
		number string
		ref    int
	}
	open := make(map[key][]*tpdu.TPDU)
	var list []Message
	for _, p := range m.taken {
		k := key{p.Number, p.Ref}
		if p.Index == 1 {
			open[k] = nil
		}
		open[k] = append(open[k], p.tpdu)
		if p.Index != p.Of {
			continue
		}
		if p.Of > 1 && !sms.IsCompleteMessage(open[k]) {
			m.t.Errorf("parts to %s do not make a message: %d of %d", p.Number, len(open[k]), p.Of)
			continue
		}
		text, err := sms.Decode(open[k])
		if err != nil {
			m.t.Errorf("decode a message to %s: %v", p.Number, err)
		}
		list = append(list, Message{Number: p.Number, Text: string(text), Parts: p.Of})
	}
	return list
}
