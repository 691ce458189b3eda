package policy

// purpose is why a document is read: to accept it from somebody, or to evaluate what was accepted once.
type purpose uint8

const (
	reading purpose = iota
	writing
)

// compile takes text through all its forms.
func compile(kind Kind, text string, why purpose) (*Document, *SyntaxError) {
	if err := checkText(kind, text, why); err != nil {
		return nil, err
	}
	draft, err := readDraft(text)
	if err != nil {
		if kind == Bucket {
			err.Message = bucketText(err)
		}
		return nil, err
	}
	v := &validator{kind: kind, why: why, d: draft}
	if err := v.validate(); err != nil {
		return nil, err
	}
	d := &Document{kind: kind, text: text, version: draft.version, id: draft.id}
	d.statements = make([]statement, len(draft.statements))
	for i := range draft.statements {
		if err := compileStatement(&d.statements[i], draft, i); err != nil {
			return nil, err
		}
	}
	d.denies, d.allows = newIndex(d.statements, true), newIndex(d.statements, false)
	return d, nil
}

func compileStatement(s *statement, d *draft, i int) *SyntaxError {
	from := &d.statements[i]
	*s = statement{
		index: i, pos: from.pos, sid: from.sid.text, deny: from.effect.text == "Deny",
		notAction: from.notAction, notResource: from.notResource,
	}
	variables := d.version == version2012
	if from.principal != nil {
		s.principals = compilePrincipals(from.principal)
	}
	for _, a := range from.actions {
		s.actions = append(s.actions, compileAction(a))
	}
	for _, r := range from.resources {
		p, err := compilePattern(r.text, dialect{wildcards: true, variables: variables, arn: true})
		if err != nil {
			return syntaxAt(d.text, r.pos, textLegacy, err.Error())
		}
		s.resources = append(s.resources, p)
	}
	if !from.hasResource { // trust policies: the resource is the role they are attached to
		s.resources = []pattern{{shape: shapeAny, source: "*"}}
	}
	for _, c := range from.conditions {
		compiled := condition{operator: c.operator, key: newContextKey(c.key.text), pos: c.name.pos}
		for _, value := range c.values {
			o, err := compileOperand(c.operator, value.text, variables)
			if err != nil {
				return syntaxAt(d.text, value.pos, textLegacy, err.Error())
			}
			compiled.operands = append(compiled.operands, o)
		}
		s.conditions = append(s.conditions, compiled)
	}
	return nil
}
